/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel does with locks, and what lock/locking.md relies on.  Nothing here is the
 * project's own code: a kernel on which one of these is different must be noticed. */
#include "base/fd.h"
#include "child.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* 3: the kernel names no process for an OFD lock; fdinfo shows which fds hold one. */
static void
test_holders (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd fd = open_ref (fixture, O_RDONLY);
  g_autofree char *fdinfo = g_strdup_printf ("/proc/self/fdinfo/%d", fd);
  g_autofree char *locks = NULL;
  g_autofree char *text = NULL;
  g_autofree char *inode = NULL;
  struct stat st;

  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE));
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  inode = g_strdup_printf (":%llu 0 EOF", (unsigned long long) st.st_ino);
  g_assert_true (g_file_get_contents (fdinfo, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "\nlock:"));
  g_assert_nonnull (strstr (text, "OFDLCK"));
  g_assert_nonnull (strstr (text, inode));
  g_assert_nonnull (strstr (text, "READ -1 "));
  g_assert_true (g_file_get_contents ("/proc/locks", &locks, NULL, NULL));
  g_assert_nonnull (strstr (locks, inode));
}

/* 6: the program ends, and a child that has closed the fd lives on: the lock is lost. */
static void
test_closed_by_child (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  int fd = open_ref (fixture, O_RDONLY);
  int alive[2], closed[2];
  char byte;
  pid_t program;

  g_assert_cmpint (pipe2 (alive, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (closed, O_CLOEXEC), ==, 0);
  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE));
  program = fork ();
  if (program == 0)
    {
      if (fork () == 0)
        {
          close (fd);
          close (alive[1]);
          _exit (write (closed[1], "c", 1) == 1 && read (alive[0], &byte, 1) == 0 ? 0 : 1);
        }
      _exit (0);
    }
  pv_fd_clear (&fd);
  g_assert_cmpint (waitpid (program, NULL, 0), ==, program);
  g_assert_cmpint (read (closed[0], &byte, 1), ==, 1);
  g_assert_true (would_get (fixture, TRUE));
  pv_fd_clear (&closed[0]);
  pv_fd_clear (&closed[1]);
  pv_fd_clear (&alive[0]);
  pv_fd_clear (&alive[1]);
}

typedef struct
{
  const PvFixture *fixture;
  int fd;
} Inherited;

static int
get_exclusive (gconstpointer data)
{
  const Inherited *inherited = data;

  return would_get (inherited->fixture, TRUE) ? 0 : 1;
}

/* Takes a lock, forks, and leaves: what does the child hold? */
static int
lock_and_leave (const PvFixture *fixture, PvHoldKind kind)
{
  int fd = open_ref (fixture, O_RDONLY);
  int alive[2];
  const Inherited inherited = { fixture, fd };
  int granted;
  char byte;
  pid_t locker;

  g_assert_cmpint (pipe2 (alive, O_CLOEXEC), ==, 0);
  locker = fork ();
  if (locker == 0)
    {
      if (!pv_hold_fd (fd, kind, FALSE, FALSE))
        _exit (1);
      if (fork () == 0)
        {
          close (alive[1]);
          _exit (read (alive[0], &byte, 1) == 0 ? 0 : 1);
        }
      _exit (0);
    }
  pv_fd_clear (&fd);
  g_assert_cmpint (waitpid (locker, NULL, 0), ==, locker);
  granted = pv_child_run (get_exclusive, &inherited) == 0;
  pv_fd_clear (&alive[0]);
  pv_fd_clear (&alive[1]);
  return granted;
}

/* 5 and 7: an OFD lock is inherited, a POSIX lock is not. */
static void
test_inherited (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_false (lock_and_leave (fixture, PV_HOLD_OFD));
  /* The other child ends when its pipe does; its lock goes with it. */
  for (int i = 0; i < 500 && !would_get (fixture, TRUE); i++)
    g_usleep (10 * 1000);
  g_assert_true (lock_and_leave (fixture, PV_HOLD_POSIX));
}

/* 8: to close any fd of the file loses a POSIX lock, and no OFD lock. */
static int
close_another (gconstpointer data)
{
  const PvFixture *fixture = data;
  int ofd = open_ref (fixture, O_RDONLY);
  int posix;

  if (!pv_hold_fd (ofd, PV_HOLD_OFD, FALSE, FALSE))
    return 1;
  close (open_ref (fixture, O_RDONLY));
  if (would_get (fixture, TRUE))
    return 2;
  close (ofd);

  posix = open_ref (fixture, O_RDONLY);
  if (!pv_hold_fd (posix, PV_HOLD_POSIX, FALSE, FALSE) || would_get (fixture, TRUE))
    return 3;
  close (open_ref (fixture, O_RDONLY));
  return would_get (fixture, TRUE) ? 0 : 4;
}

static void
test_close_another (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_cmpint (pv_child_run (close_another, fixture), ==, 0);
}

/* 9: a lock on a file that was deleted keeps nobody out of its successor. */
static void
test_deleted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd deleter = open_ref (fixture, O_RDWR);

  g_assert_true (pv_hold_fd (deleter, PV_HOLD_OFD, TRUE, FALSE));
  g_assert_cmpint (unlinkat (fixture->dir_fd, ".ref", 0), ==, 0);
  {
    pv_autofd launcher = open_ref (fixture, O_RDONLY);

    g_assert_true (pv_hold_fd (launcher, PV_HOLD_OFD, FALSE, FALSE));
  }
}

/* 10: flock(2) is another world. */
static void
test_families (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  pv_autofd fd = open_ref (fixture, O_RDWR);
  PvHolder holder = pv_holder_start (path, PV_HOLD_BSD, TRUE);

  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, TRUE, FALSE));
  g_assert_false (pv_holder_would_get (path, PV_HOLD_BSD, FALSE));
  g_assert_false (pv_holder_would_get (path, PV_HOLD_POSIX, FALSE));
  pv_holder_stop (&holder);
}

/* 13: a file without a name can be locked before it gets one. */
static void
test_born_locked (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd fd = open (fixture->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);

  if (fd < 0)
    {
      g_test_skip ("the filesystem of the temporary folder has no O_TMPFILE");
      return;
    }
  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE));
  g_assert_cmpint (linkat (AT_FDCWD, link, fixture->dir_fd, ".ref", AT_SYMLINK_FOLLOW), ==, 0);
  g_assert_false (would_get (fixture, TRUE));
}

/* 20: all who inherited a description share its lock, and it is converted for all. */
static void
test_converted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd fd = open_ref (fixture, O_RDWR);
  pv_autofd inherited = fcntl (fd, F_DUPFD_CLOEXEC, 3);
  pv_autofd fresh = open_ref (fixture, O_RDWR);

  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE));
  g_assert_false (pv_hold_fd (fresh, PV_HOLD_OFD, TRUE, FALSE));
  g_assert_true (pv_hold_fd (inherited, PV_HOLD_OFD, TRUE, FALSE));
}

static int
unlock_inherited (gconstpointer data)
{
  const Inherited *inherited = data;
  const struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

  return fcntl (inherited->fd, F_OFD_SETLK, &unlock);
}

/* 21: a child unlocks for its parent. */
static void
test_unlocked_by_child (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd fd = open_ref (fixture, O_RDONLY);
  const Inherited inherited = { fixture, fd };

  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, FALSE, FALSE));
  g_assert_false (would_get (fixture, TRUE));
  g_assert_cmpint (pv_child_run (unlock_inherited, &inherited), ==, 0);
  g_assert_true (would_get (fixture, TRUE));
}

/* 22 */
static void
test_exclusive_needs_write (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd fd = open_ref (fixture, O_RDONLY);

  g_assert_false (pv_hold_fd (fd, PV_HOLD_OFD, TRUE, FALSE));
  g_assert_cmpint (errno, ==, EBADF);
}

static void
ignore (int number G_GNUC_UNUSED)
{
}

static int
wait_for_oneself (gconstpointer data)
{
  const Inherited *inherited = data;
  const struct sigaction action = { .sa_handler = ignore };
  pv_autofd elsewhere = open_ref (inherited->fixture, O_RDWR);

  sigaction (SIGALRM, &action, NULL);
  ualarm (100 * 1000, 100 * 1000);
  if (pv_hold_fd (elsewhere, PV_HOLD_OFD, TRUE, TRUE))
    return 1;
  return errno == EINTR ? 0 : 2;
}

/* 23: who inherited an exclusive lock waits for itself, and no EDEADLK ends that. */
static void
test_waits_for_itself (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd fd = open_ref (fixture, O_RDWR);
  const Inherited inherited = { fixture, fd };

  g_assert_true (pv_hold_fd (fd, PV_HOLD_OFD, TRUE, FALSE));
  g_assert_cmpint (pv_child_run (wait_for_oneself, &inherited), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/lock-facts/holders", test_holders);
  pv_fixture_add ("/lock-facts/closed-by-child", test_closed_by_child);
  pv_fixture_add ("/lock-facts/inherited", test_inherited);
  pv_fixture_add ("/lock-facts/close-another", test_close_another);
  pv_fixture_add ("/lock-facts/deleted", test_deleted);
  pv_fixture_add ("/lock-facts/families", test_families);
  pv_fixture_add ("/lock-facts/born-locked", test_born_locked);
  pv_fixture_add ("/lock-facts/converted", test_converted);
  pv_fixture_add ("/lock-facts/unlocked-by-child", test_unlocked_by_child);
  pv_fixture_add ("/lock-facts/exclusive-needs-write", test_exclusive_needs_write);
  pv_fixture_add ("/lock-facts/waits-for-itself", test_waits_for_itself);
  return g_test_run ();
}
