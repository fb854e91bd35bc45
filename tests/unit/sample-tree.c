/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tree with one of all that a copy could get wrong. */
#include "sample-tree.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LONG_TARGET 1000
#define LARGE_SIZE 3000001

/* A value that fits beside an inode of any filesystem, but into no small buffer. */
#define LARGE_VALUE 1500

static void
set_time (int dir_fd, const char *name, time_t seconds)
{
  /* Older than the time of modification: reading would change it on a filesystem with relatime. */
  const struct timespec times[] = {
    { .tv_sec = seconds - 1 },
    { .tv_sec = seconds, .tv_nsec = 123456789 },
  };

  g_assert_cmpint (utimensat (dir_fd, name, times, AT_SYMLINK_NOFOLLOW), ==, 0);
}

static void
set_mode (int dir_fd, const char *name, mode_t mode)
{
  g_assert_cmpint (fchmodat (dir_fd, name, mode, 0), ==, 0);
}

static void
set_xattr (int dir_fd, const char *name, const char *key, const char *value, gsize length)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d/%s", dir_fd, name);

  /* Some filesystems have none, some not all, and some are for root. */
  if (lsetxattr (path, key, value, length, 0) < 0 && errno != EPERM)
    g_assert_cmpint (errno, ==, EOPNOTSUPP);
}

static void
set_xattrs (int fd)
{
  /* VFS_CAP_REVISION_2, cap_net_raw */
  static const char capability[20] = { 1, 0, 0, 2, 0, 0x20 };
  char large[LARGE_VALUE];

  memset (large, 'x', sizeof large);
  set_xattr (fd, "small", "user.empty", "", 0);
  set_xattr (fd, "small", "user.large", large, sizeof large);
  set_xattr (fd, "setgid", "user.folder", "\0\1\2", 3);
  set_xattr (fd, "link", "trusted.link", "value", 5);
  set_xattr (fd, "program", "trusted.program", "value", 5);
  set_xattr (fd, "program", "security.capability", capability, sizeof capability);
}

static void
write_large (int dir_fd, const char *name)
{
  pv_autofd fd = openat (dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  g_autofree guint32 *data = g_new (guint32, LARGE_SIZE / sizeof (guint32) + 1);

  for (gsize i = 0; i <= LARGE_SIZE / sizeof (guint32); i++)
    data[i] = (guint32) (i * 2654435761u);
  g_assert_true (pv_fd_write_all (fd, data, LARGE_SIZE, NULL));
}

static void
write_sparse (int dir_fd)
{
  pv_autofd fd = openat (dir_fd, PV_SAMPLE_SPARSE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

  g_assert_cmpint (pwrite (fd, "middle", 6, PV_SAMPLE_SPARSE_SIZE / 2), ==, 6);
  g_assert_cmpint (ftruncate (fd, PV_SAMPLE_SPARSE_SIZE), ==, 0);
}

/* As root; before all else, since it takes away other attributes. */
static void
set_owners (int fd)
{
  static const char *const names[] = { "program", "link", "setgid", "fifo" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      if (fchownat (fd, names[i], 61234, 61235, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM)
        g_assert_cmpint (errno, ==, EINVAL);
    }
}

static void
make_special (int fd)
{
  g_assert_cmpint (mknodat (fd, "fifo", S_IFIFO | 0640, 0), ==, 0);
  g_assert_cmpint (mknodat (fd, "socket", S_IFSOCK | 0666, 0), ==, 0);
  set_mode (fd, "socket", 0666);
  g_assert_cmpint (linkat (fd, "small", fd, "a/b/small-too", 0), ==, 0);
  g_assert_cmpint (linkat (fd, "small", fd, "z-small", 0), ==, 0);
  g_assert_cmpint (linkat (fd, "link", fd, "z-link", 0), ==, 0);
}

static void
make_names (const PvFixture *fixture, const char *name)
{
  g_autofree char *long_name = g_strnfill (255, 'n');
  g_autofree char *long_target = g_strnfill (LONG_TARGET, 't');
  const char *const files[] = { "small",    "program", "private", "empty",    "new\nline",
                                "\xff\xfe", "-rf",     " ",       "a/b/c/d/e" };

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_strconcat (name, "/", files[i], NULL);

      pv_fixture_write (fixture, path, g_str_equal (files[i], "empty") ? "" : files[i]);
    }
  for (gsize i = 0; i < 3; i++)
    {
      const char *const targets[] = { "../nowhere", "/", long_target };
      const char *const links[] = { "link", "absolute", long_name };
      g_autofree char *path = g_strdup_printf ("%s/%s/%s", fixture->path, name, links[i]);

      g_assert_cmpint (symlink (targets[i], path), ==, 0);
    }
}

static void
set_attributes (int fd)
{
  static const struct
  {
    const char *name;
    mode_t mode;
  } rows[] = {
    { "small", 0444 },      { "program", 04755 },      { "private", 0600 }, { "empty", 0400 },
    { "setgid/in", 02711 }, { "setgid", 02755 },       { "sticky", 01777 }, { "closed/in", 0500 },
    { "closed", 0555 },     { "a/b/small-too", 0640 }, { "a/b", 0700 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      set_mode (fd, rows[i].name, rows[i].mode);
      set_time (fd, rows[i].name, 1000000000 + (time_t) i);
    }
  set_time (fd, "link", 1);
  set_time (fd, "fifo", 2);
  set_time (fd, "a", 3);
  set_time (fd, "\xff\xfe", 4);
}

/**
 * pv_sample_tree_make:
 * @name: (type filename): relative to the folder of @fixture
 */
void
pv_sample_tree_make (const PvFixture *fixture, const char *name)
{
  static const char *const folders[] = { "setgid/in/", "sticky/", "closed/in/", "a/b/c/d/",
                                         "b\n/\xff/" };
  pv_autofd fd = -1;

  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_strconcat (name, "/", folders[i], NULL);
      const char *const entries[] = { path, NULL };

      pv_fixture_make (fixture, entries);
    }
  make_names (fixture, name);
  fd = openat (fixture->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  write_large (fd, "large");
  write_large (fd, "closed/large");
  write_sparse (fd);
  make_special (fd);
  set_owners (fd);
  set_mode (fd, "small", 0644);
  set_xattrs (fd);
  set_attributes (fd);
  set_mode (fd, ".", 0751);
  set_time (fd, ".", 5);
}

/**
 * pv_sample_tree_make_deep:
 * @depth: how many folders are in each other; the path soon is longer than any system call takes
 */
void
pv_sample_tree_make_deep (int dir_fd, const char *name, guint depth)
{
  const char *below = "a-folder-in-a-folder";
  pv_autofd fd = -1;

  g_assert_cmpint (mkdirat (dir_fd, name, 0755), ==, 0);
  fd = openat (dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (guint i = 0; i < depth; i++)
    {
      int next;

      g_assert_cmpint (mkdirat (fd, below, 0755), ==, 0);
      g_assert_cmpint (mkdirat (fd, "beside", 0755), ==, 0);
      next = openat (fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      g_assert_cmpint (next, >=, 0);
      pv_fd_clear (&fd);
      fd = next;
    }
  write_large (fd, "first");
  /* Whichever of them is met first, it is far from the top. */
  g_assert_cmpint (mkdirat (fd, "beside", 0755), ==, 0);
  g_assert_cmpint (linkat (fd, "first", fd, "beside/second", 0), ==, 0);
}
