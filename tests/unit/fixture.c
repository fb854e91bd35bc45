/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "base/fd.h"
#include "base/tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What each open fd leads to; the one that lists them is left out. */
static GHashTable *
snapshot_fds (void)
{
  GHashTable *fds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *link = g_build_filename ("/proc/self/fd", name, NULL);
      char *target = g_file_read_link (link, NULL);

      g_assert_nonnull (target);
      if (g_str_has_prefix (target, "/proc/") && g_str_has_suffix (target, "/fd"))
        g_free (target);
      else
        g_hash_table_insert (fds, g_strdup (name), target);
    }
  return fds;
}

static void
assert_same_fds (GHashTable *before, GHashTable *after)
{
  GHashTableIter iter;
  gpointer fd, target;

  g_hash_table_iter_init (&iter, after);
  while (g_hash_table_iter_next (&iter, &fd, &target))
    {
      const char *was = g_hash_table_lookup (before, fd);

      if (was == NULL)
        g_error ("File descriptor %s was left open: %s", (char *) fd, (char *) target);
      g_assert_cmpstr (was, ==, target);
    }
  g_hash_table_iter_init (&iter, before);
  while (g_hash_table_iter_next (&iter, &fd, &target))
    {
      if (!g_hash_table_contains (after, fd))
        g_error ("File descriptor %s was closed: %s", (char *) fd, (char *) target);
    }
}

void
pv_fixture_set_up (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  fixture->path = g_dir_make_tmp ("pv-test-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->dir_fd = open (fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fixture->dir_fd, >=, 0);
  fixture->fds = snapshot_fds ();
}

void
pv_fixture_tear_down (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GHashTable) after = snapshot_fds ();
  g_autoptr (GError) error = NULL;
  g_autofree char *parent = g_path_get_dirname (fixture->path);
  g_autofree char *name = g_path_get_basename (fixture->path);
  pv_autofd parent_fd = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  assert_same_fds (fixture->fds, after);
  g_hash_table_unref (fixture->fds);
  pv_fd_clear (&fixture->dir_fd);

  pv_tree_remove_at (parent_fd, name, &error);
  g_assert_no_error (error);
  g_free (fixture->path);
}

/**
 * pv_fixture_add:
 * @name: of the test, such as `/store/list`
 * @test: gets a fixture of its own
 */
void
pv_fixture_add (const char *name, PvFixtureTest test)
{
  g_test_add (name, PvFixture, NULL, pv_fixture_set_up, test, pv_fixture_tear_down);
}

/**
 * pv_fixture_path:
 * @name: (type filename): relative to the folder
 *
 * Returns: (transfer full): the absolute path
 */
char *
pv_fixture_path (const PvFixture *fixture, const char *name)
{
  return g_build_filename (fixture->path, name, NULL);
}

/**
 * pv_fixture_write:
 * @name: (type filename): relative to the folder; folders on the way are created
 * @text: the contents of the file
 */
void
pv_fixture_write (const PvFixture *fixture, const char *name, const char *text)
{
  g_autofree char *path = pv_fixture_path (fixture, name);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/**
 * pv_fixture_make:
 * @entries: (array zero-terminated=1): `folder/`, `file` (empty), or `link>target`; parents are
 *  created
 */
void
pv_fixture_make (const PvFixture *fixture, const char *const *entries)
{
  for (gsize i = 0; entries[i] != NULL; i++)
    {
      g_auto (GStrv) parts = g_strsplit (entries[i], ">", 2);
      g_autofree char *path = pv_fixture_path (fixture, parts[0]);
      g_autofree char *parent = g_path_get_dirname (path);

      g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
      if (parts[1] != NULL)
        g_assert_cmpint (symlink (parts[1], path), ==, 0);
      else if (g_str_has_suffix (path, "/"))
        g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
      else
        pv_fixture_write (fixture, parts[0], "");
    }
}

/**
 * pv_fixture_exists:
 * @name: (type filename): relative to the folder
 *
 * Returns: whether there is something of that name, be it a link that leads nowhere
 */
gboolean
pv_fixture_exists (const PvFixture *fixture, const char *name)
{
  struct stat st;

  return fstatat (fixture->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
