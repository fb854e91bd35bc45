/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "base/tree.h"
#include "child.h"
#include "fixture.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* More levels than there are fds, and a path longer than any that the kernel takes. */
static int
remove_deep (gconstpointer data)
{
  const PvFixture *fixture = data;
  const struct rlimit limit = { 64, 64 };
  g_autoptr (GError) error = NULL;
  pv_autofd fd = dup (fixture->dir_fd);

  for (int i = 0; i < 2000; i++)
    {
      int next = pv_tree_make_at (fd, i == 0 ? "deep" : "0", 0755, &error);

      g_assert_no_error (error);
      g_assert_cmpint (symlinkat ("/", next, "1"), ==, 0);
      close (fd);
      fd = next;
    }
  g_assert_cmpint (mkdirat (fd, "closed", 0), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_true (pv_tree_remove_at (fixture->dir_fd, "deep", &error));
  g_assert_no_error (error);
  return 0;
}

static void
test_deep (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_cmpint (pv_child_run (remove_deep, fixture), ==, 0);
  g_assert_false (pv_fixture_exists (fixture, "deep"));
}

static void
test_odd_names (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "keep/file", "odd/\xff\xfe/\n\t/-r", "odd/0>../keep",
                                         "file", "link>keep", NULL };
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, entries);
  for (gsize i = 1; entries[i] != NULL; i++)
    {
      g_auto (GStrv) parts = g_strsplit_set (entries[i], "/>", 2);

      g_assert_true (pv_tree_remove_at (fixture->dir_fd, parts[0], &error));
      g_assert_no_error (error);
      g_assert_false (pv_fixture_exists (fixture, parts[0]));
    }
  g_assert_true (pv_fixture_exists (fixture, "keep/file"));
}

/* A bind mount has the device of the rest, and nothing of it is deleted; all else is. */
static int
remove_mounted (gconstpointer data)
{
  const PvFixture *fixture = data;
  static const char *const entries[] = { "keep/file", "gone/a/mounted/", "gone/b/c", NULL };
  g_autofree char *keep = pv_fixture_path (fixture, "keep");
  g_autofree char *mounted = pv_fixture_path (fixture, "gone/a/mounted");
  g_autoptr (GError) error = NULL;

  pv_autofd dir_fd = -1;

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (mount (keep, mounted, NULL, MS_BIND, NULL), ==, 0);
  /* The fixture's own fd leads to the mounts of another namespace. */
  dir_fd = open (fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_false (pv_tree_remove_at (dir_fd, "gone", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
  g_assert_true (pv_fixture_exists (fixture, "keep/file"));
  g_assert_true (pv_fixture_exists (fixture, "gone/a/mounted"));
  g_assert_false (pv_fixture_exists (fixture, "gone/b"));
  return 0;
}

static void
test_mounted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *why_not = NULL;
  int status;

  if (!pv_child_run_in_namespaces (remove_mounted, fixture, &status, &why_not))
    g_test_skip (why_not);
  else
    g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/tree/make", test_make);
  pv_fixture_add ("/tree/remove", test_remove);
  pv_fixture_add ("/tree/deep", test_deep);
  pv_fixture_add ("/tree/odd-names", test_odd_names);
  pv_fixture_add ("/tree/mounted", test_mounted);
  return g_test_run ();
}
