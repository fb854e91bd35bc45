/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "copy/registry.h"
#include "fixture.h"

#include <string.h>
#include <unistd.h>

static void
test_path (void)
{
  static const char *const by_state[] = { "XDG_STATE_HOME=/s", "HOME=/h", NULL };
  static const char *const by_home[] = { "XDG_STATE_HOME=relative", "HOME=/h", NULL };
  g_autofree char *state = pv_registry_get_path ((char **) by_state);
  g_autofree char *home = pv_registry_get_path ((char **) by_home);

  g_assert_cmpstr (state, ==, "/s/pv-launch/parents");
  g_assert_cmpstr (home, ==, "/h/.local/state/pv-launch/parents");
}

static const PvRegistered *
find (const GPtrArray *found, const char *path)
{
  for (guint i = 0; i < found->len; i++)
    {
      const PvRegistered *entry = found->pdata[i];

      if (strcmp (entry->path, path) == 0)
        return entry;
    }
  g_assert_not_reached ();
}

static void
test_all (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "here/", "file", "registry/relative>../here",
                                         "registry/no-link", NULL };
  g_autofree char *registry = pv_fixture_path (fixture, "registry");
  g_autofree char *missing = pv_fixture_path (fixture, "missing");
  g_autofree char *here = pv_fixture_path (fixture, "here");
  g_autofree char *gone = pv_fixture_path (fixture, "gone\xff\n");
  g_autofree char *file = pv_fixture_path (fixture, "file");
  g_autoptr (GPtrArray) none = NULL;
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GPtrArray) rest = NULL;
  g_autoptr (GError) error = NULL;

  none = pv_registry_list (missing, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (none->len, ==, 0);

  pv_fixture_make (fixture, entries);
  pv_registry_add (registry, here);
  pv_registry_add (registry, here);
  pv_registry_add (registry, gone);
  pv_registry_add (registry, file);
  found = pv_registry_list (registry, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (found->len, ==, 3);
  g_assert_false (find (found, here)->dangling);
  g_assert_true (find (found, file)->dangling);
  g_assert_true (pv_registry_drop (registry, find (found, gone), &error));
  g_assert_true (pv_registry_drop (registry, find (found, gone), &error));
  g_assert_no_error (error);
  rest = pv_registry_list (registry, &error);
  g_assert_cmpuint (rest->len, ==, 2);
  g_assert_true (pv_fixture_exists (fixture, "registry/no-link"));

  g_assert_null (pv_registry_list (file, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/registry/path", test_path);
  pv_fixture_add ("/registry/all", test_all);
  return g_test_run ();
}
