/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fixture.h"
#include "runtime/store.h"

#include <string.h>

static void
test_dirs (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  const char *const some[] = { "HOME=/home/u", "XDG_DATA_DIRS=/a:rel:/b", NULL };
  const char *const none[] = { "XDG_DATA_HOME=rel", NULL };
  const char *const some_dirs[] = { "/home/u/.local/share/pv-launch/runtimes",
                                    "/a/pv-launch/runtimes", "/b/pv-launch/runtimes", NULL };
  const char *const none_dirs[] = { "/usr/local/share/pv-launch/runtimes",
                                    "/usr/share/pv-launch/runtimes", NULL };
  g_auto (GStrv) first = pv_store_get_dirs ((char **) some);
  g_auto (GStrv) second = pv_store_get_dirs ((char **) none);

  g_assert_cmpstrv (first, some_dirs);
  g_assert_cmpstrv (second, none_dirs);
}

static void
test_names (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_true (pv_store_is_name ("scout"));
  g_assert_true (pv_store_is_name ("1.2+deb~1_a-b"));
  g_assert_false (pv_store_is_name (""));
  g_assert_false (pv_store_is_name (".."));
  g_assert_false (pv_store_is_name (".new-abc"));
  g_assert_false (pv_store_is_name ("-x"));
  g_assert_false (pv_store_is_name ("a/b"));
  g_assert_false (pv_store_is_name ("a\nb"));
}

static void
assert_entry (const GPtrArray *entries, guint i, const char *name, const char *version,
              PvLayout layout, const char *path, gboolean current)
{
  const PvStoreEntry *entry = entries->pdata[i];

  g_assert_cmpstr (entry->metadata->name, ==, name);
  g_assert_cmpstr (entry->metadata->version, ==, version);
  g_assert_cmpint (entry->metadata->layout, ==, layout);
  g_assert_cmpstr (entry->path, ==, path);
  g_assert_cmpint (entry->current, ==, current);
}

static void
test_list (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = {
    "s1/scout/files>versions/1.2/files", "s1/scout/versions/1.2/files/bin/",
    "s1/scout/versions/1.10/files/usr/", "s1/scout/versions/1.9/files/",
    "s1/scout/versions/.new-abc/files/", "s2/by-hand/files/usr/",
    "s2/.hidden/files/",                 "s2/empty/",
    "s2/file",                           NULL,
  };
  g_autofree char *s1 = pv_fixture_path (fixture, "s1");
  g_autofree char *s2 = pv_fixture_path (fixture, "s2");
  g_autofree char *missing = pv_fixture_path (fixture, "s3");
  const char *const dirs[] = { s1, missing, s2, NULL };
  g_autofree char *scout = g_build_filename (s1, "scout", NULL);
  g_autofree char *v9 = g_build_filename (scout, "versions/1.9", NULL);
  g_autofree char *v10 = g_build_filename (scout, "versions/1.10", NULL);
  g_autofree char *by_hand = g_build_filename (s2, "by-hand", NULL);
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  entries = pv_store_list (dirs, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, ==, 4);
  assert_entry (entries, 0, "by-hand", NULL, PV_LAYOUT_ROOT, by_hand, TRUE);
  assert_entry (entries, 1, "scout", "1.2", PV_LAYOUT_USR, scout, TRUE);
  assert_entry (entries, 2, "scout", "1.10", PV_LAYOUT_ROOT, v10, FALSE);
  assert_entry (entries, 3, "scout", "1.9", PV_LAYOUT_USR, v9, FALSE);
}

static void
test_problems (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "a/versions/1/files/", "b/versions/1/", NULL };
  const char *const dirs[] = { fixture->path, NULL };
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  pv_fixture_write (fixture, "a/versions/1/runtime.json", "{");
  entries = pv_store_list (dirs, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, ==, 2);
  g_assert_nonnull (strstr (((PvStoreEntry *) entries->pdata[0])->problem, "runtime.json"));
  g_assert_nonnull (strstr (((PvStoreEntry *) entries->pdata[1])->problem, "\"files\""));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/store/dirs", test_dirs);
  pv_fixture_add ("/store/names", test_names);
  pv_fixture_add ("/store/list", test_list);
  pv_fixture_add ("/store/problems", test_problems);
  return g_test_run ();
}
