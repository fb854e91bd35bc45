/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What depends on the filesystem: each is made in a file, or is a tmpfs, and is mounted where nobody
 * else sees it. */
#include "base/error.h"
#include "base/fd.h"
#include "copy/tree-copy.h"
#include "mounted.h"
#include "sample-tree.h"
#include "tree-state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* See ext4(5). */
#define EXT4_MAX_LINKS 65000

#define LARGE_SIZE (16 << 20)

static int
open_in (const PvFixture *inside, const char *name)
{
  int fd;

  if (mkdirat (inside->dir_fd, name, 0755) < 0)
    g_assert_cmpint (errno, ==, EEXIST);
  fd = openat (inside->dir_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static gboolean
copy (const PvFixture *inside, const char *source, const char *dest, PvTreeCopyKind kind,
      GError **error)
{
  pv_autofd source_fd = open_in (inside, source);
  pv_autofd dest_fd = open_in (inside, dest);

  return pv_tree_copy (source_fd, dest_fd, kind, NULL, NULL, error);
}

static struct stat
look (const PvFixture *inside, const char *name)
{
  struct stat st;

  g_assert_cmpint (fstatat (inside->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
  return st;
}

static guint64
get_used (const PvFixture *inside)
{
  struct statvfs fs;

  g_assert_cmpint (syncfs (inside->dir_fd), ==, 0);
  g_assert_cmpint (fstatvfs (inside->dir_fd, &fs), ==, 0);
  return (fs.f_blocks - fs.f_bfree) * fs.f_frsize;
}

static void
write_large (const PvFixture *inside, const char *name)
{
  pv_autofd fd = openat (inside->dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  g_autofree guint32 *bytes = g_new (guint32, LARGE_SIZE / 4);

  for (guint32 i = 0; i < LARGE_SIZE / 4; i++)
    bytes[i] = i * 2654435761u;
  g_assert_true (pv_fd_write_all (fd, bytes, LARGE_SIZE, NULL));
}

static void
assert_unsupported (const PvFixture *inside, const char *source, PvTreeCopyKind kind)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (copy (inside, source, "refused", kind, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
}

static int
all_kinds (gconstpointer data)
{
  static const char *const copies[] = { "reflinked", "linked", "full" };
  const PvMounted *mounted = data;
  const PvFixture *inside = mounted->inside;
  gboolean clones = g_str_equal (mounted->type, "btrfs") || g_str_equal (mounted->type, "xfs");
  g_autofree char *before = NULL;

  pv_sample_tree_make (inside, "source");
  before = pv_tree_state (inside->dir_fd, "source");
  for (gsize i = clones ? 0 : 1; i < G_N_ELEMENTS (copies); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *after = NULL;
      g_autofree char *copied = NULL;

      copy (inside, "source", copies[i], (PvTreeCopyKind) i, &error);
      g_assert_no_error (error);
      after = pv_tree_state (inside->dir_fd, "source");
      pv_tree_assert_same (before, after);
      copied = pv_tree_state (inside->dir_fd, copies[i]);
      pv_tree_assert_same (before, copied);
    }
  if (!clones)
    assert_unsupported (inside, "source", PV_TREE_COPY_REFLINK);
  g_assert_cmpint (look (inside, "full/" PV_SAMPLE_SPARSE).st_blocks * 512, <,
                   PV_SAMPLE_SPARSE_MAX);
  return 0;
}

static void
test_ext4 (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "ext4", all_kinds);
}

static void
test_btrfs (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "btrfs", all_kinds);
}

static void
test_xfs (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "xfs", all_kinds);
}

static void
test_tmpfs (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "tmpfs", all_kinds);
}

/* A reflink takes no space, and a write to the copy is not one to the source. */
static int
reflinks_share (gconstpointer data)
{
  const PvMounted *mounted = data;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  const PvFixture *inside = mounted->inside;
  guint64 used;
  int fd;

  close (open_in (inside, "source"));
  write_large (inside, "source/file");
  before = pv_tree_state (inside->dir_fd, "source");
  used = get_used (inside);
  g_assert_true (copy (inside, "source", "copy", PV_TREE_COPY_REFLINK, NULL));
  g_assert_cmpuint (get_used (inside) - used, <, LARGE_SIZE / 4);

  fd = openat (inside->dir_fd, "copy/file", O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (write (fd, "changed", 7), ==, 7);
  pv_fd_clear (&fd);
  after = pv_tree_state (inside->dir_fd, "source");
  pv_tree_assert_same (before, after);
  return 0;
}

static void
test_reflinks_share (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "xfs", reflinks_share);
}

/* A file that has almost as many names as it may have. */
static int
too_many_links (gconstpointer data)
{
  const PvMounted *mounted = data;
  const PvFixture *inside = mounted->inside;
  pv_autofd fill = -1;

  fill = open_in (inside, "fill");
  pv_fixture_write (inside, "source/a", "content");
  g_assert_cmpint (linkat (inside->dir_fd, "source/a", inside->dir_fd, "source/b", 0), ==, 0);
  g_assert_cmpint (linkat (inside->dir_fd, "source/a", inside->dir_fd, "source/c", 0), ==, 0);
  for (guint i = 3; i < EXT4_MAX_LINKS - 1; i++)
    {
      char name[16];

      g_snprintf (name, sizeof name, "%u", i);
      g_assert_cmpint (linkat (inside->dir_fd, "source/a", fill, name, 0), ==, 0);
    }

  g_assert_true (copy (inside, "source", "copy", PV_TREE_COPY_HARDLINK, NULL));
  g_assert_cmpint (look (inside, "source/a").st_nlink, ==, EXT4_MAX_LINKS);
  g_assert_true (copy (inside, "source", "second", PV_TREE_COPY_HARDLINK, NULL));
  g_assert_cmpint (look (inside, "second/a").st_ino, !=, look (inside, "source/a").st_ino);
  g_assert_cmpint (look (inside, "second/a").st_ino, ==, look (inside, "second/c").st_ino);
  g_assert_cmpint (look (inside, "second/b").st_nlink, ==, 3);
  g_assert_cmpint (look (inside, "second/b").st_size, ==, strlen ("content"));
  pv_fd_clear (&fill);
  return 0;
}

static void
test_too_many_links (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "ext4", too_many_links);
}

static void
assert_fails (const PvFixture *inside, PvTreeCopyKind kind, int expected, const char *name)
{
  g_autofree char *suffix = g_strdup_printf ("/%s\": %s", name, g_strerror (expected));
  g_autoptr (GError) error = NULL;

  g_assert_false (copy (inside, "source", "m", kind, &error));
  if (!g_str_has_suffix (error->message, suffix))
    g_error ("%s", error->message);
  g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
}

/* The copy would be on another filesystem, which is full, then read-only. */
static int
elsewhere (gconstpointer data)
{
  const PvFixture *fixture = ((const PvMounted *) data)->outside;
  g_autofree char *target = pv_fixture_path (fixture, "m");
  static const char *const made[] = { "source/", NULL };
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  write_large (fixture, "source/file");
  g_assert_cmpint (mount (NULL, target, NULL, MS_REMOUNT, "size=1m"), ==, 0);
  g_assert_false (copy (fixture, "source", "m", PV_TREE_COPY_HARDLINK, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
  g_assert_true (g_str_has_suffix (error->message, "/source/file\": Invalid cross-device link"));
  g_clear_error (&error);
  g_assert_false (copy (fixture, "source", "m", PV_TREE_COPY_REFLINK, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
  g_assert_cmpint (unlinkat (fixture->dir_fd, "m/file", 0), ==, 0);

  assert_fails (fixture, PV_TREE_COPY_FULL, ENOSPC, "m/file");
  g_assert_cmpint (unlinkat (fixture->dir_fd, "m/file", 0), ==, 0);
  g_assert_cmpint (mount (NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
  assert_fails (fixture, PV_TREE_COPY_FULL, EROFS, "m/file");
  return 0;
}

static void
test_elsewhere (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "tmpfs", elsewhere);
}

/* What is mounted in the source is none of it. */
static int
mounted_inside (gconstpointer data)
{
  const PvFixture *fixture = ((const PvMounted *) data)->inside;
  g_autofree char *target = pv_fixture_path (fixture, "source/a/m");
  static const char *const made[] = { "source/a/m/", "source/a/z/file", NULL };

  pv_fixture_make (fixture, made);
  g_assert_cmpint (mount ("tmpfs", target, "tmpfs", 0, NULL), ==, 0);
  pv_fixture_write (fixture, "source/a/m/file", "");
  for (guint kind = PV_TREE_COPY_HARDLINK; kind <= PV_TREE_COPY_FULL; kind++)
    {
      const char *name = kind == PV_TREE_COPY_FULL ? "full" : "linked";
      g_autofree char *file = g_strconcat (name, "/a/m/file", NULL);
      g_autofree char *beside = g_strconcat (name, "/a/z/file", NULL);
      g_autoptr (GError) error = NULL;

      copy (fixture, "source", name, (PvTreeCopyKind) kind, &error);
      g_assert_no_error (error);
      g_assert_false (pv_fixture_exists (fixture, file));
      g_assert_true (pv_fixture_exists (fixture, beside));
    }
  g_assert_true (pv_fixture_exists (fixture, "full/a/m"));
  umount (target);
  return 0;
}

static void
test_mounted_inside (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "tmpfs", mounted_inside);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/tree-copy-mounts/ext4", test_ext4);
  pv_fixture_add ("/tree-copy-mounts/btrfs", test_btrfs);
  pv_fixture_add ("/tree-copy-mounts/xfs", test_xfs);
  pv_fixture_add ("/tree-copy-mounts/tmpfs", test_tmpfs);
  pv_fixture_add ("/tree-copy-mounts/reflinks-share", test_reflinks_share);
  pv_fixture_add ("/tree-copy-mounts/too-many-links", test_too_many_links);
  pv_fixture_add ("/tree-copy-mounts/elsewhere", test_elsewhere);
  pv_fixture_add ("/tree-copy-mounts/mounted-inside", test_mounted_inside);
  return g_test_run ();
}
