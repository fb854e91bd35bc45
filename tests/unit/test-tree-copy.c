/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "copy/tree-copy.h"
#include "fixture.h"
#include "sample-tree.h"
#include "tree-state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SKIPPED 77
#define NOBODY 65534

/* Soon no path of it fits into one system call. */
#define DEPTH 400
#define MAX_FDS 64

static int
open_folder (const PvFixture *fixture, const char *name)
{
  int fd = openat (fixture->dir_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static gboolean
copy_without (const PvFixture *fixture, PvTreeCopyKind kind, const char *const *excluded,
              GError **error)
{
  pv_autofd source = open_folder (fixture, "source");
  pv_autofd dest = -1;

  if (mkdirat (fixture->dir_fd, "copy", 0700) < 0)
    g_assert_cmpint (errno, ==, EEXIST);
  dest = open_folder (fixture, "copy");
  return pv_tree_copy (source, dest, kind, excluded, NULL, error);
}

static gboolean
copy (const PvFixture *fixture, PvTreeCopyKind kind, GError **error)
{
  return copy_without (fixture, kind, NULL, error);
}

static struct stat
look (const PvFixture *fixture, const char *name)
{
  struct stat st;

  g_assert_cmpint (fstatat (fixture->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
  return st;
}

static gboolean
is_same_file (const PvFixture *fixture, const char *one, const char *other)
{
  struct stat a = look (fixture, one);
  struct stat b = look (fixture, other);

  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void
assert_copied (const PvFixture *fixture, PvTreeCopyKind kind)
{
  g_autofree char *before = pv_tree_state (fixture->dir_fd, "source");
  g_autofree char *after = NULL;
  g_autofree char *copied = NULL;
  g_autoptr (GError) error = NULL;

  copy (fixture, kind, &error);
  g_assert_no_error (error);
  after = pv_tree_state (fixture->dir_fd, "source");
  pv_tree_assert_same (before, after);
  copied = pv_tree_state (fixture->dir_fd, "copy");
  pv_tree_assert_same (before, copied);
}

static void
test_full (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  mode_t umask_before;

  pv_sample_tree_make (fixture, "source");
  umask_before = umask (077);
  assert_copied (fixture, PV_TREE_COPY_FULL);
  umask (umask_before);

  g_assert_false (is_same_file (fixture, "source/large", "copy/large"));
  g_assert_cmpint (look (fixture, "source/large").st_nlink, ==, 1);
  g_assert_cmpint (look (fixture, "copy/small").st_nlink, ==, 3);
  g_assert_cmpint (look (fixture, "copy/" PV_SAMPLE_SPARSE).st_size, ==, PV_SAMPLE_SPARSE_SIZE);
  g_assert_cmpint (look (fixture, "copy/" PV_SAMPLE_SPARSE).st_blocks * 512, <,
                   PV_SAMPLE_SPARSE_MAX);
}

static void
test_hardlink (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_sample_tree_make (fixture, "source");
  assert_copied (fixture, PV_TREE_COPY_HARDLINK);

  g_assert_true (is_same_file (fixture, "source/large", "copy/large"));
  g_assert_true (is_same_file (fixture, "source/closed/large", "copy/closed/large"));
  g_assert_true (is_same_file (fixture, "source/link", "copy/link"));
  g_assert_cmpint (look (fixture, "source/small").st_nlink, ==, 6);
  /* Who writes into one would be read from the other. */
  g_assert_false (is_same_file (fixture, "source/fifo", "copy/fifo"));
  g_assert_cmpint (look (fixture, "source/fifo").st_nlink, ==, 1);
}

/* Not every filesystem can; test-tree-copy-mounts.c has some that can. */
static void
test_reflink (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  pv_sample_tree_make (fixture, "source");
  if (copy (fixture, PV_TREE_COPY_REFLINK, &error))
    return;
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
  g_assert_true (g_str_has_prefix (error->message, "Cannot clone \"/"));
}

/* Who owns a file can read it without leaving a trace. */
static void
test_access_times (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const names[] = { "source/small", "source/a", "source/program", "source" };
  struct stat before[G_N_ELEMENTS (names)];

  pv_sample_tree_make (fixture, "source");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    before[i] = look (fixture, names[i]);
  g_assert_true (copy (fixture, PV_TREE_COPY_FULL, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      struct stat after = look (fixture, names[i]);

      g_assert_cmpint (after.st_atim.tv_sec, ==, before[i].st_atim.tv_sec);
      g_assert_cmpint (after.st_atim.tv_nsec, ==, before[i].st_atim.tv_nsec);
    }
}

/* The copy's own lock file is there before all else, and so is the folder in which it is. */
static void
test_excluded (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = {
    "source/.ref>usr/.ref", "source/usr/.ref",  "source/usr/lib/.ref",
    "source/usr/lib/x",     "source/usrx/.ref", "source/gone/folder/",
    "source/u/r/.ref",      "copy/usr/.ref",    NULL
  };
  static const char *const excluded[] = { ".ref", "usr/.ref", "gone", "usr/l", NULL };
  struct stat ref;

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (fchmodat (fixture->dir_fd, "source/usr", 0755, 0), ==, 0);
  ref = look (fixture, "copy/usr/.ref");
  g_assert_true (copy_without (fixture, PV_TREE_COPY_HARDLINK, excluded, NULL));
  g_assert_cmpint (look (fixture, "copy/usr/.ref").st_ino, ==, ref.st_ino);
  g_assert_cmpint (look (fixture, "copy/usr").st_mode, ==, S_IFDIR | 0755);
  g_assert_true (pv_fixture_exists (fixture, "copy/usr/lib/.ref"));
  g_assert_true (pv_fixture_exists (fixture, "copy/usr/lib/x"));
  g_assert_true (pv_fixture_exists (fixture, "copy/usrx/.ref"));
  g_assert_true (pv_fixture_exists (fixture, "copy/u/r/.ref"));
  g_assert_false (pv_fixture_exists (fixture, "copy/.ref"));
  g_assert_false (pv_fixture_exists (fixture, "copy/gone"));
}

/* An error in any thread is the error of all, and ends all. */
static void
test_in_the_way (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "copy/a/b/c/d/e", NULL };
  static const PvTreeCopyKind kinds[] = { PV_TREE_COPY_HARDLINK, PV_TREE_COPY_FULL };

  pv_sample_tree_make (fixture, "source");
  pv_fixture_make (fixture, entries);
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GDir) threads = NULL;
      guint n_threads = 0;

      g_assert_false (copy (fixture, kinds[i], &error));
      g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, g_strerror (EEXIST)));
      threads = g_dir_open ("/proc/self/task", 0, NULL);
      while (g_dir_read_name (threads) != NULL)
        n_threads++;
      g_assert_cmpuint (n_threads, ==, 1);
    }
}

static int
copy_deep (gconstpointer data)
{
  const PvFixture *fixture = data;
  const struct rlimit limit = { MAX_FDS, MAX_FDS };
  g_autoptr (GError) error = NULL;
  pv_autofd source = open_folder (fixture, "source");
  pv_autofd dest = open_folder (fixture, "copy");
  pv_autofd linked = open_folder (fixture, "linked");

  if (setrlimit (RLIMIT_NOFILE, &limit) < 0)
    return 1;
  if (!pv_tree_copy (source, dest, PV_TREE_COPY_FULL, NULL, NULL, &error)
      || !pv_tree_copy (source, linked, PV_TREE_COPY_HARDLINK, NULL, NULL, &error))
    g_error ("%s", error->message);
  return 0;
}

static void
test_deep (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "copy/", "linked/", NULL };
  g_autofree char *expected = NULL;
  g_autofree char *copied = NULL;
  g_autofree char *linked = NULL;

  pv_sample_tree_make_deep (fixture->dir_fd, "source", DEPTH);
  pv_fixture_make (fixture, entries);
  g_assert_cmpint (pv_child_run (copy_deep, fixture), ==, 0);
  expected = pv_tree_state (fixture->dir_fd, "source");
  copied = pv_tree_state (fixture->dir_fd, "copy");
  linked = pv_tree_state (fixture->dir_fd, "linked");
  pv_tree_assert_same (expected, copied);
  pv_tree_assert_same (expected, linked);
}

/* Wide: more folders and files than may be open at once. */
static int
copy_wide (gconstpointer data)
{
  const struct rlimit limit = { MAX_FDS, MAX_FDS };

  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  assert_copied (data, PV_TREE_COPY_FULL);
  return 0;
}

static void
test_wide (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  for (guint i = 0; i < 300; i++)
    {
      g_autofree char *name = g_strdup_printf ("source/%u/%u/file", i % 100, i);

      pv_fixture_write (fixture, name, name);
    }
  g_assert_cmpint (pv_child_run (copy_wide, fixture), ==, 0);
}

static gboolean
refuse (guint call, guint saved_errno)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | saved_errno),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = { G_N_ELEMENTS (code), code };

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
         && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* A kernel or a sandbox without one, and then without the other as well. */
static int
copy_by_fallbacks (gconstpointer data)
{
  const PvFixture *fixture = data;

  if (!refuse (SYS_copy_file_range, ENOSYS))
    return SKIPPED;
  assert_copied (fixture, PV_TREE_COPY_FULL);
  g_assert_cmpint (renameat (fixture->dir_fd, "copy", fixture->dir_fd, "first"), ==, 0);
  if (!refuse (SYS_sendfile, EPERM))
    return SKIPPED;
  assert_copied (fixture, PV_TREE_COPY_FULL);
  g_assert_cmpint (look (fixture, "copy/" PV_SAMPLE_SPARSE).st_blocks * 512, <,
                   PV_SAMPLE_SPARSE_MAX);
  return 0;
}

static void
test_fallbacks (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  int status;

  pv_sample_tree_make (fixture, "source");
  status = pv_child_run (copy_by_fallbacks, fixture);
  if (status == SKIPPED)
    g_test_skip ("no system call can be refused here");
  else
    g_assert_cmpint (status, ==, 0);
}

/* @func is run as somebody who owns only "copy". */
static void
as_nobody (PvFixture *fixture, PvChildFunc func)
{
  int status;

  if (mkdirat (fixture->dir_fd, "copy", 0755) < 0)
    g_assert_cmpint (errno, ==, EEXIST);
  if (geteuid () != 0 || fchownat (fixture->dir_fd, "copy", NOBODY, NOBODY, 0) < 0
      || (status = pv_child_run (func, fixture)) == SKIPPED)
    {
      g_test_skip ("only root can become an ordinary user who exists nowhere else");
      return;
    }
  g_assert_cmpint (status, ==, 0);
}

static gboolean
become_nobody (const PvFixture *fixture)
{
  return fchmod (fixture->dir_fd, 0755) == 0 && setgroups (0, NULL) == 0
         && setresgid (NOBODY, NOBODY, NOBODY) == 0 && setresuid (NOBODY, NOBODY, NOBODY) == 0
         && prctl (PR_SET_DUMPABLE, 1) == 0;
}

static int
copy_of_root (gconstpointer data)
{
  const PvFixture *fixture = data;
  g_autoptr (GError) error = NULL;

  if (!become_nobody (fixture))
    return SKIPPED;
  copy (fixture, PV_TREE_COPY_FULL, &error);
  g_assert_no_error (error);

  g_assert_cmpint (look (fixture, "copy/program").st_mode, ==, S_IFREG | 0755);
  g_assert_cmpint (look (fixture, "copy/group").st_mode, ==, S_IFREG | 0755);
  g_assert_cmpint (look (fixture, "copy/program").st_uid, ==, NOBODY);
  g_assert_cmpint (look (fixture, "copy/sticky").st_mode, ==, S_IFDIR | 01777);
  /* Its owner may not enter it, but what is in it is there. */
  g_assert_cmpint (look (fixture, "copy/others").st_mode, ==, S_IFDIR | 0077);
  g_assert_cmpint (fchmodat (fixture->dir_fd, "copy/others", 0777, 0), ==, 0);
  g_assert_cmpint (look (fixture, "copy/others/a").st_mode, ==, S_IFDIR | 0077);
  g_assert_cmpint (fchmodat (fixture->dir_fd, "copy/others/a", 0777, 0), ==, 0);
  g_assert_true (pv_fixture_exists (fixture, "copy/others/a/b/file"));
  g_assert_false (pv_fixture_exists (fixture, "copy/null"));
  return 0;
}

static void
test_of_root (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "source/program", "source/group", "source/sticky/",
                                         "source/others/a/b/file", NULL };
  static const struct
  {
    const char *name;
    mode_t mode;
  } rows[] = { { "source/program", 04755 },
               { "source/group", 02755 },
               { "source/sticky", 01777 },
               { "source/others/a", 0077 },
               { "source/others", 0077 } };

  pv_fixture_make (fixture, entries);
  mknodat (fixture->dir_fd, "source/null", S_IFCHR | 0666, makedev (1, 3));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (fchmodat (fixture->dir_fd, rows[i].name, rows[i].mode, 0), ==, 0);
  as_nobody (fixture, copy_of_root);
}

static int
copy_unreadable (gconstpointer data)
{
  static const char *const a[] = { "a", NULL };
  static const char *const b[] = { "b", NULL };
  const PvFixture *fixture = data;
  g_autoptr (GError) file_error = NULL;
  g_autoptr (GError) folder_error = NULL;

  if (!become_nobody (fixture))
    return SKIPPED;
  g_assert_false (copy_without (fixture, PV_TREE_COPY_FULL, b, &file_error));
  g_assert_error (file_error, PV_ERROR, PV_ERROR_FAILED);
  g_assert_true (g_str_has_suffix (file_error->message, "a/file\": Permission denied"));
  g_assert_false (copy_without (fixture, PV_TREE_COPY_FULL, a, &folder_error));
  g_assert_error (folder_error, PV_ERROR, PV_ERROR_FAILED);
  g_assert_true (g_str_has_suffix (folder_error->message, "b/folder\": Permission denied"));
  return 0;
}

static void
test_unreadable (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "source/a/file", "source/b/folder/", NULL };

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (fchmodat (fixture->dir_fd, "source/a/file", 0, 0), ==, 0);
  g_assert_cmpint (fchmodat (fixture->dir_fd, "source/b/folder", 0711, 0), ==, 0);
  as_nobody (fixture, copy_unreadable);
}

static int
link_of_root (gconstpointer data)
{
  static const char *const excluded[] = { "a", NULL };
  const PvFixture *fixture = data;
  g_autoptr (GError) error = NULL;

  if (!become_nobody (fixture))
    return SKIPPED;
  /* The link of somebody else is read. */
  g_assert_true (copy_without (fixture, PV_TREE_COPY_HARDLINK, excluded, NULL));
  g_assert_cmpint (look (fixture, "copy/link").st_uid, ==, NOBODY);
  g_assert_cmpint (unlinkat (fixture->dir_fd, "copy/link", 0), ==, 0);

  g_assert_false (copy (fixture, PV_TREE_COPY_HARDLINK, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
  g_assert_true (g_str_has_prefix (error->message, "Cannot link \"/"));
  g_assert_true (g_str_has_suffix (error->message, "/a/file\": Operation not permitted"));
  return 0;
}

static void
test_protected (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "source/a/file", "source/link>a", NULL };
  g_autofree char *protected = NULL;

  if (!g_file_get_contents ("/proc/sys/fs/protected_hardlinks", &protected, NULL, NULL)
      || !g_str_equal (protected, "1\n"))
    {
      g_test_skip ("everybody may link everything here");
      return;
    }
  pv_fixture_make (fixture, entries);
  as_nobody (fixture, link_of_root);
}

static void
test_device (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "source/", NULL };

  pv_fixture_make (fixture, entries);
  if (mknodat (fixture->dir_fd, "source/null", S_IFCHR | 0600, makedev (1, 3)) < 0)
    {
      g_test_skip ("only root can make a device");
      return;
    }
  g_assert_cmpint (fchmodat (fixture->dir_fd, "source/null", 0666, 0), ==, 0);
  assert_copied (fixture, PV_TREE_COPY_FULL);
  g_assert_cmpuint (look (fixture, "copy/null").st_rdev, ==, makedev (1, 3));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/tree-copy/full", test_full);
  pv_fixture_add ("/tree-copy/hardlink", test_hardlink);
  pv_fixture_add ("/tree-copy/reflink", test_reflink);
  pv_fixture_add ("/tree-copy/access-times", test_access_times);
  pv_fixture_add ("/tree-copy/excluded", test_excluded);
  pv_fixture_add ("/tree-copy/in-the-way", test_in_the_way);
  pv_fixture_add ("/tree-copy/deep", test_deep);
  pv_fixture_add ("/tree-copy/wide", test_wide);
  pv_fixture_add ("/tree-copy/fallbacks", test_fallbacks);
  pv_fixture_add ("/tree-copy/of-root", test_of_root);
  pv_fixture_add ("/tree-copy/unreadable", test_unreadable);
  pv_fixture_add ("/tree-copy/protected", test_protected);
  pv_fixture_add ("/tree-copy/device", test_device);
  return g_test_run ();
}
