/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void
assert_entry (const GPtrArray *entries, guint i, const char *name, const char *target,
              gboolean is_dir)
{
  const PvEntry *entry = entries->pdata[i];

  g_assert_cmpstr (entry->name, ==, name);
  g_assert_cmpstr (entry->target, ==, target);
  g_assert_cmpint (entry->is_dir, ==, is_dir);
}

static void
test_list (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = {
    "b", "a/", ".hidden", "B", "link>a", "dangling>nowhere", "\xff", "new\nline", NULL,
  };
  pv_autofd path_fd = -1;
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  path_fd = openat (fixture->dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  entries = pv_dir_list (path_fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, ==, 8);
  assert_entry (entries, 0, ".hidden", NULL, FALSE);
  assert_entry (entries, 1, "B", NULL, FALSE);
  assert_entry (entries, 2, "a", NULL, TRUE);
  assert_entry (entries, 3, "b", NULL, FALSE);
  assert_entry (entries, 4, "dangling", "nowhere", FALSE);
  assert_entry (entries, 5, "link", "a", FALSE);
  assert_entry (entries, 6, "new\nline", NULL, FALSE);
  assert_entry (entries, 7, "\xff", NULL, FALSE);
}

static void
test_empty (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GPtrArray) entries = pv_dir_list (fixture->dir_fd, NULL);

  g_assert_nonnull (entries);
  g_assert_cmpuint (entries->len, ==, 0);
}

static void
test_no_folder (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = pv_fixture_path (fixture, "file");
  pv_autofd fd = -1;

  pv_fixture_write (fixture, "file", "");
  fd = openat (fixture->dir_fd, "file", O_PATH | O_CLOEXEC);
  g_assert_null (pv_dir_list (fd, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, path));
}

static void
test_read_link (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "link>../x y", "file", NULL };
  g_autofree char *target = NULL;

  pv_fixture_make (fixture, made);
  target = pv_dir_read_link (fixture->dir_fd, "link");
  g_assert_cmpstr (target, ==, "../x y");
  g_assert_null (pv_dir_read_link (fixture->dir_fd, "file"));
  g_assert_cmpint (errno, ==, EINVAL);
  g_assert_null (pv_dir_read_link (fixture->dir_fd, "nothing"));
  g_assert_cmpint (errno, ==, ENOENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/dir/list", test_list);
  pv_fixture_add ("/dir/empty", test_empty);
  pv_fixture_add ("/dir/no-folder", test_no_folder);
  pv_fixture_add ("/dir/read-link", test_read_link);
  return g_test_run ();
}
