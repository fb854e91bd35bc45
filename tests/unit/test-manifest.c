/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "copy/manifest.h"
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static PvManifest *
find (const PvFixture *fixture, const char *files, GError **error)
{
  pv_autofd fd = openat (fixture->dir_fd, files, O_PATH | O_DIRECTORY | O_CLOEXEC);
  PvManifest *manifest = NULL;

  g_assert_cmpint (fd, >=, 0);
  g_assert_true (pv_manifest_find (fd, &manifest, error) == (error == NULL || *error == NULL));
  return manifest;
}

static void
assert_found (const PvFixture *fixture, const char *files, const char *expected)
{
  g_autoptr (PvManifest) manifest = find (fixture, files, NULL);
  g_autofree char *path = expected == NULL ? NULL : pv_fixture_path (fixture, expected);

  g_assert_cmpstr (manifest == NULL ? NULL : manifest->path, ==, path);
  g_assert_true (manifest == NULL || pv_manifest_is_digest (manifest->digest));
}

/* The compressed one first; beside the folder itself, not beside a link to it. */
static void
test_where (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = {
    "plain/files/bin/",
    "plain/usr-mtree.txt",
    "both/files/bin/",
    "both/usr-mtree.txt",
    "both/usr-mtree.txt.gz",
    "none/files/bin/",
    "none/mtree.txt",
    "other/usr/bin/",
    "other/files/",
    "other/usr-mtree.txt",
    "version/files>../plain/files",
    "version/usr-mtree.txt.gz",
    "inside/files/usr-mtree.txt",
    NULL,
  };

  pv_fixture_make (fixture, entries);
  assert_found (fixture, "plain/files", "plain/usr-mtree.txt");
  assert_found (fixture, "both/files", "both/usr-mtree.txt.gz");
  assert_found (fixture, "none/files", NULL);
  assert_found (fixture, "other/usr", NULL);
  assert_found (fixture, "version/files", "plain/usr-mtree.txt");
  assert_found (fixture, "inside/files", NULL);
}

static void
test_no_file (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = {
    "link/files/",           "link/usr-mtree.txt.gz>other",
    "link/usr-mtree.txt",    "link/other",
    "fifo/files/",           "folder/files/",
    "folder/usr-mtree.txt/", NULL,
  };
  static const char *const files[] = { "link/files", "fifo/files", "folder/files" };

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (mkfifoat (fixture->dir_fd, "fifo/usr-mtree.txt.gz", 0600), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (find (fixture, files[i], &error));
      g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
    }
}

/* Nothing else; the kernel's clock may tick as rarely as every ten milliseconds. */
static void
change_ctime (const char *path)
{
  struct stat before, after;

  g_assert_cmpint (stat (path, &before), ==, 0);
  do
    {
      g_assert_cmpint (chmod (path, before.st_mode & 0777), ==, 0);
      g_assert_cmpint (stat (path, &after), ==, 0);
    }
  while (before.st_ctim.tv_sec == after.st_ctim.tv_sec
         && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

/* Whatever says that it is another manifest, or another folder, gives another digest. */
static void
test_digest (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const struct timespec times[] = { { .tv_sec = 7 }, { .tv_sec = 7 } };
  g_autofree char *path = pv_fixture_path (fixture, "a/usr-mtree.txt");
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (int i = 0; i < 5; i++)
    {
      g_autoptr (PvManifest) manifest = NULL;
      g_autoptr (PvManifest) again = NULL;

      if (i == 0 || i == 2)
        pv_fixture_write (fixture, "a/usr-mtree.txt", i == 0 ? "one" : "another");
      if (i == 0)
        g_assert_cmpint (mkdirat (fixture->dir_fd, "a/files", 0755), ==, 0);
      if (i == 1)
        g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
      if (i == 3)
        {
          g_assert_cmpint (mkdirat (fixture->dir_fd, "a/new", 0755), ==, 0);
          g_assert_cmpint (renameat (fixture->dir_fd, "a/new", fixture->dir_fd, "a/files"), ==, 0);
        }
      if (i == 4)
        change_ctime (path);

      manifest = find (fixture, "a/files", NULL);
      again = find (fixture, "a/files", NULL);
      g_assert_cmpstr (manifest->digest, ==, again->digest);
      g_assert_true (pv_manifest_is_current (path, manifest->digest));
      g_assert_true (g_hash_table_add (seen, g_strdup (manifest->digest)));
    }
}

static void
test_current (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "a/files/", "a/usr-mtree.txt", NULL };
  g_autofree char *path = pv_fixture_path (fixture, "a/usr-mtree.txt");
  g_autoptr (PvManifest) manifest = NULL;

  pv_fixture_make (fixture, entries);
  manifest = find (fixture, "a/files", NULL);
  g_assert_true (pv_manifest_is_current (path, manifest->digest));
  g_assert_false (pv_manifest_is_current (path, "0123"));
  g_assert_false (pv_manifest_is_current ("/nowhere/at/all", manifest->digest));
  pv_fixture_write (fixture, "a/usr-mtree.txt.gz", "a newer one");
  g_assert_false (pv_manifest_is_current (path, manifest->digest));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/manifest/where", test_where);
  pv_fixture_add ("/manifest/no-file", test_no_file);
  pv_fixture_add ("/manifest/digest", test_digest);
  pv_fixture_add ("/manifest/current", test_current);
  return g_test_run ();
}
