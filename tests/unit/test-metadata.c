/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "fixture.h"
#include "runtime/metadata.h"

#include <string.h>

static PvMetadata *
parse (const char *text, GError **error)
{
  return pv_metadata_parse (text, strlen (text), "/x/runtime.json", error);
}

static void
test_round_trip (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  const PvMetadata metadata = {
    .name = (char *) "scout",
    .version = (char *) "1.2",
    .suite = (char *) "sc\"out\n",
    .layout = PV_LAYOUT_ROOT,
  };
  g_autofree char *text = pv_metadata_to_json (&metadata);
  g_autoptr (GError) error = NULL;
  g_autoptr (PvMetadata) parsed = parse (text, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (parsed->name, ==, "scout");
  g_assert_cmpstr (parsed->version, ==, "1.2");
  g_assert_cmpstr (parsed->suite, ==, "sc\"out\n");
  g_assert_null (parsed->created);
  g_assert_cmpint (parsed->layout, ==, PV_LAYOUT_ROOT);
  g_assert_true (g_str_has_suffix (text, "}\n"));
}

static void
test_invalid (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *text;
    const char *names;
  } rows[] = {
    { "", "line 1" },
    { "[]", "no JSON object" },
    { "{\n\"name\": }", "line 2" },
    { "{\"version\": \"1\", \"layout\": \"usr\"}", "\"name\"" },
    { "{\"name\": 7, \"version\": \"1\", \"layout\": \"usr\"}", "\"name\"" },
    { "{\"name\": \"a\", \"version\": \"1\"}", "\"layout\"" },
    { "{\"name\": \"a\", \"version\": \"1\", \"layout\": \"flat\"}", "\"layout\"" },
    { "{\"name\": \"a\", \"version\": \"1\", \"layout\": \"usr\", \"suite\": []}", "\"suite\"" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (parse (rows[i].text, &error));
      g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "/x/runtime.json"));
      g_assert_nonnull (strstr (error->message, rows[i].names));
    }
}

static void
test_load (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PvMetadata) metadata = pv_metadata_load_at (fixture->dir_fd, &error);

  g_assert_null (metadata);
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_clear_error (&error);

  pv_fixture_write (fixture, "runtime.json",
                    "{\"name\": \"a\", \"version\": \"1\", \"layout\": \"usr\", \"later\": 1}");
  metadata = pv_metadata_load_at (fixture->dir_fd, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (metadata->name, ==, "a");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/metadata/round-trip", test_round_trip);
  pv_fixture_add ("/metadata/invalid", test_invalid);
  pv_fixture_add ("/metadata/load", test_load);
  return g_test_run ();
}
