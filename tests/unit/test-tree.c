/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "base/tree.h"
#include "fixture.h"

#include <sys/stat.h>

static void
test_make (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "link>elsewhere", "file", NULL };
  g_autofree char *path = pv_fixture_path (fixture, "a/b/c");
  g_autoptr (GError) error = NULL;
  pv_autofd first = pv_tree_make (path, 0755, &error);
  pv_autofd second = pv_tree_make_at (first, "d", 0755, &error);

  g_assert_no_error (error);
  g_assert_cmpint (second, >=, 0);
  g_assert_true (pv_fixture_exists (fixture, "a/b/c/d"));

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (pv_tree_make_at (fixture->dir_fd, "link", 0755, NULL), ==, -1);
  g_assert_cmpint (pv_tree_make_at (fixture->dir_fd, "file", 0755, &error), ==, -1);
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
}

static void
test_remove (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "keep/file", "gone/up>../keep", "gone/a/b/c", NULL };
  g_autofree char *closed = pv_fixture_path (fixture, "gone/a/b");
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (chmod (closed, 0), ==, 0);

  g_assert_true (pv_tree_remove_at (fixture->dir_fd, "gone", &error));
  g_assert_no_error (error);
  g_assert_false (pv_fixture_exists (fixture, "gone"));
  g_assert_true (pv_fixture_exists (fixture, "keep/file"));

  g_assert_true (pv_tree_remove_at (fixture->dir_fd, "gone", &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/tree/make", test_make);
  pv_fixture_add ("/tree/remove", test_remove);
  return g_test_run ();
}
