/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* More of what the kernel does with locks, and lock/locking.md relies on: where mounts and other
 * users come in.  Nothing here is the project's own code. */
#include "base/fd.h"
#include "child.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77

static int
open_ref (const PvFixture *fixture, int flags)
{
  int fd = openat (fixture->dir_fd, ".ref", flags | O_CREAT | O_CLOEXEC, 0644);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static gboolean
would_get (const PvFixture *fixture, gboolean exclusive)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");

  return pv_holder_would_get (path, PV_HOLD_OFD, exclusive);
}

static void
in_namespaces (PvChildFunc func, const PvFixture *fixture)
{
  g_autofree char *why_not = NULL;
  int status;

  if (!pv_child_run_in_namespaces (func, fixture, &status, &why_not))
    g_test_skip (why_not);
  else if (status == SKIPPED)
    g_test_skip ("this filesystem cannot be mounted here");
  else
    g_assert_cmpint (status, ==, 0);
}

/* Returns: 0 if a lock through @first leaves an exclusive one through @second out */
static int
excludes (const char *first, const char *second)
{
  PvHolder holder = pv_holder_start (first, PV_HOLD_OFD, FALSE);
  gboolean granted = pv_holder_would_get (second, PV_HOLD_OFD, TRUE);

  pv_holder_stop (&holder);
  return granted ? 1 : 0;
}

/* 1: an overlay has inodes of its own, and locks on these mean nothing below. */
static int
overlay (gconstpointer data)
{
  const PvFixture *fixture = data;
  static const char *const made[] = { "low/.ref", "up/", "work/", "m/", NULL };
  g_autofree char *options = g_strdup_printf ("lowerdir=%s/low,upperdir=%s/up,workdir=%s/work",
                                              fixture->path, fixture->path, fixture->path);
  g_autofree char *merged = pv_fixture_path (fixture, "m");
  g_autofree char *through = pv_fixture_path (fixture, "m/.ref");
  g_autofree char *below = pv_fixture_path (fixture, "low/.ref");
  int status;

  pv_fixture_make (fixture, made);
  if (mount ("overlay", merged, "overlay", 0, options) < 0)
    return SKIPPED;
  /* 3: the locks do not exclude each other; anything else would be good news for another design */
  status = excludes (through, below) == 1 && excludes (below, through) == 1 ? 0 : 3;

  /* 2: what is bound over it is the real file. */
  if (mount (below, through, NULL, MS_BIND, NULL) < 0)
    return 4;
  if (excludes (through, below) != 0 || excludes (below, through) != 0)
    status = 5;
  umount (through);
  umount (merged);
  return status;
}

static void
test_overlay (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  in_namespaces (overlay, fixture);
}

static int
bind_mount (gconstpointer data)
{
  const PvFixture *fixture = data;
  static const char *const made[] = { "low/.ref", "m/", NULL };
  g_autofree char *low = pv_fixture_path (fixture, "low");
  g_autofree char *merged = pv_fixture_path (fixture, "m");
  g_autofree char *through = pv_fixture_path (fixture, "m/.ref");
  g_autofree char *below = pv_fixture_path (fixture, "low/.ref");

  pv_fixture_make (fixture, made);
  if (mount (low, merged, NULL, MS_BIND, NULL) < 0)
    return SKIPPED;
  return excludes (through, below) + 2 * excludes (below, through);
}

static void
test_bind_mount (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  in_namespaces (bind_mount, fixture);
}

/* 19: what has a tree mounted does not keep it: only the lock says that it is in use. */
static int
deleted_below (gconstpointer data)
{
  const PvFixture *fixture = data;
  static const char *const made[] = { "low/.ref", "low/libc", "m/", NULL };
  g_autofree char *low = pv_fixture_path (fixture, "low");
  g_autofree char *merged = pv_fixture_path (fixture, "m");
  g_autofree char *below = pv_fixture_path (fixture, "low/libc");
  g_autofree char *below_ref = pv_fixture_path (fixture, "low/.ref");
  g_autofree char *through = pv_fixture_path (fixture, "m/libc");
  int status = 0;

  pv_fixture_make (fixture, made);
  if (mount (low, merged, NULL, MS_BIND, NULL) < 0)
    return SKIPPED;
  if (access (through, F_OK) < 0)
    status = 1;
  else if (unlink (below) < 0 || unlink (below_ref) < 0 || rmdir (low) < 0)
    status = 2;
  else if (access (through, F_OK) == 0 || errno != ENOENT)
    status = 3;
  umount (merged);
  return status;
}

static void
test_deleted_below (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  in_namespaces (deleted_below, fixture);
}

/* 5: a lock fd goes through bubblewrap, whose own monitor closes it: the program alone holds it. */
static void
pass_through_bwrap (const PvFixture *fixture, const char *bwrap, const char *option)
{
  const char *argv[] = { bwrap, "--dev-bind", "/", "/", "--", "/bin/sh", "-c",
                         "echo ready; read line", NULL, NULL };
  g_autofree char *line = g_strdup (option);
  int fd = open_ref (fixture, O_RDONLY);
  int in, out;
  char byte;
  GPid pid;

  if (option != NULL)
    {
      argv[4] = line;
      argv[5] = "--";
      argv[6] = "/bin/sh";
      argv[7] = "-c";
      argv[8] = "echo ready; read line";
    }
  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE));
  g_assert_true (pv_fd_set_inherited (fd, TRUE, NULL));
  g_assert_true (g_spawn_async_with_pipes (
    NULL, (char **) argv, NULL,
    G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
    NULL, &pid, &in, &out, NULL, NULL));
  pv_fd_clear (&fd);
  if (read (out, &byte, 1) != 1)
    g_test_skip ("bubblewrap cannot make a container here");
  else
    g_assert_false (would_get (fixture, TRUE));
  pv_fd_clear (&in);
  pv_fd_clear (&out);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_assert_true (would_get (fixture, TRUE));
}

static void
test_through_bwrap (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *bwrap = g_find_program_in_path ("bwrap");

  if (bwrap == NULL)
    {
      g_test_skip ("no bubblewrap");
      return;
    }
  pass_through_bwrap (fixture, bwrap, NULL);
  pass_through_bwrap (fixture, bwrap, "--unshare-pid");
}

/* 12: who may only read can lock shared, but only with O_RDONLY. */
static int
open_as_user (gconstpointer data)
{
  const PvFixture *fixture = data;
  pv_autofd writable = -1;
  pv_autofd readable = -1;

  if (getuid () == 0 && (setgroups (0, NULL) < 0 || setresgid (65534, 65534, 65534) < 0
                         || setresuid (65534, 65534, 65534) < 0))
    return SKIPPED;
  writable = openat (fixture->dir_fd, ".ref", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (writable >= 0 || errno != EACCES)
    return 1;
  readable = openat (fixture->dir_fd, ".ref", O_RDONLY | O_CLOEXEC);
  return pv_hold_fd (readable, PV_HOLD_OFD, FALSE, FALSE) ? 0 : 2;
}

static int
open_read_only (gconstpointer data)
{
  const PvFixture *fixture = data;
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  pv_autofd fd = -1;

  if (mount (fixture->path, fixture->path, NULL, MS_BIND, NULL) < 0
      || mount (NULL, fixture->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
    return SKIPPED;
  if (open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) >= 0 || errno != EROFS)
    return 1;
  fd = open (path, O_RDONLY | O_CLOEXEC);
  return pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE) ? 0 : 2;
}

static void
test_read_only (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  int status;

  pv_fixture_write (fixture, ".ref", "");
  g_assert_cmpint (fchmodat (fixture->dir_fd, ".ref", 0444, 0), ==, 0);
  g_assert_cmpint (fchmod (fixture->dir_fd, 0755), ==, 0);
  status = pv_child_run (open_as_user, fixture);
  if (status == SKIPPED)
    g_test_skip ("no other user can be had in this namespace");
  else
    g_assert_cmpint (status, ==, 0);
  in_namespaces (open_read_only, fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/lock-mounts/overlay", test_overlay);
  pv_fixture_add ("/lock-mounts/bind-mount", test_bind_mount);
  pv_fixture_add ("/lock-mounts/deleted-below", test_deleted_below);
  pv_fixture_add ("/lock-mounts/through-bwrap", test_through_bwrap);
  pv_fixture_add ("/lock-mounts/read-only", test_read_only);
  return g_test_run ();
}
