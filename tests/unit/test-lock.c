/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking locks: who keeps whom out, what is waited for, what is opened and what is created. */
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "fixture.h"
#include "lock/lock.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define NO_OFD "PV_LAUNCH_TEST_NO_OFD"

static PvLock *
lock_now (const PvFixture *fixture, PvLockMode mode, GError **error)
{
  return pv_lock_acquire_at (fixture->dir_fd, ".ref", mode, PV_LOCK_FLAGS_NONE, NULL, error);
}

/* Each family outside, each family of ours, each pair of modes: only shared and shared go together,
 * but flock(2) is another world. */
static void
test_matrix (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");

  pv_fixture_write (fixture, ".ref", "");
  for (guint i = 0; i < 2 * 3 * 2 * 2; i++)
    {
      PvHoldKind kind = (PvHoldKind) (i % 3);
      gboolean holder_exclusive = i / 3 % 2 != 0;
      PvLockMode mode = i / 6 % 2 != 0 ? PV_LOCK_EXCLUSIVE : PV_LOCK_SHARED;
      gboolean fallback = i / 12 != 0;
      gboolean together
        = kind == PV_HOLD_BSD || (!holder_exclusive && mode == PV_LOCK_SHARED);
      g_autoptr (GError) error = NULL;
      g_autoptr (PvLock) lock = NULL;
      PvHolder holder = pv_holder_start (path, kind, holder_exclusive);

      g_test_message ("row %u", i);
      if (fallback)
        g_setenv (NO_OFD, "1", TRUE);
      lock = lock_now (fixture, mode, &error);
      g_unsetenv (NO_OFD);
      pv_holder_stop (&holder);
      if (!together)
        {
          g_assert_null (lock);
          g_assert_error (error, PV_ERROR, PV_ERROR_BUSY);
          g_assert_nonnull (strstr (error->message, path));
          continue;
        }
      g_assert_no_error (error);
      g_assert_cmpint (pv_lock_get_mode (lock), ==, mode);
      g_assert_cmpint (pv_lock_is_process_oriented (lock), ==, fallback);
      g_assert_cmpint (pv_holder_would_get (path, PV_HOLD_OFD, FALSE), ==, mode == PV_LOCK_SHARED);
      g_assert_false (pv_holder_would_get (path, PV_HOLD_POSIX, TRUE));
      g_assert_true (pv_holder_would_get (path, PV_HOLD_BSD, TRUE));
    }
  g_assert_true (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
}

static void
count_wait (const char *path, PvLockMode mode, int holder, gpointer data)
{
  int *told = data;

  g_assert_true (g_str_has_suffix (path, "/.ref"));
  g_assert_cmpint (mode, ==, PV_LOCK_EXCLUSIVE);
  told[0]++;
  told[1] = holder;
}

static void
test_timeout (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  struct sigaction before, after;
  sigset_t mask;

  pv_fixture_write (fixture, ".ref", "");
  sigaction (SIGALRM, NULL, &before);
  for (int kind = PV_HOLD_OFD; kind <= PV_HOLD_POSIX; kind++)
    {
      int told[2] = { 0, -1 };
      const PvLockWait wait = { .timeout_ms = 120, .on_wait = count_wait, .data = told };
      g_autoptr (GError) error = NULL;
      PvHolder holder = pv_holder_start (path, (PvHoldKind) kind, FALSE);
      gint64 started = g_get_monotonic_time ();

      g_assert_null (pv_lock_acquire_at (fixture->dir_fd, ".ref", PV_LOCK_EXCLUSIVE,
                                         PV_LOCK_FLAGS_NONE, &wait, &error));
      g_assert_cmpint (g_get_monotonic_time () - started, >=, 120 * 1000);
      g_assert_error (error, PV_ERROR, PV_ERROR_BUSY);
      g_assert_cmpint (told[0], ==, 1);
      /* An OFD lock belongs to no process. */
      g_assert_cmpint (told[1], ==, kind == PV_HOLD_OFD ? 0 : holder.pid);
      pv_holder_stop (&holder);
    }

  /* The signal that ended the wait is as it was. */
  sigaction (SIGALRM, NULL, &after);
  g_assert_true (after.sa_handler == before.sa_handler);
  sigprocmask (SIG_BLOCK, NULL, &mask);
  g_assert_false (sigismember (&mask, SIGALRM));
}

static void
ignore (int number G_GNUC_UNUSED)
{
}

/* Holds the lock, interrupts the parent some times, and lets go. */
static void
hold_and_interrupt (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC);

  pv_hold_fd (fd, PV_HOLD_OFD, TRUE, FALSE);
  kill (getppid (), SIGUSR2);
  for (int i = 0; i < 5; i++)
    {
      g_usleep (20 * 1000);
      kill (getppid (), SIGUSR1);
    }
  _exit (0);
}

static void
wait_through_interrupts (PvFixture *fixture, int timeout_ms)
{
  const PvLockWait wait = { .timeout_ms = timeout_ms };
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) lock = NULL;
  sigset_t ready;
  int number;
  pid_t child;

  sigemptyset (&ready);
  sigaddset (&ready, SIGUSR2);
  sigprocmask (SIG_BLOCK, &ready, NULL);
  child = fork ();
  if (child == 0)
    hold_and_interrupt (path);
  sigwait (&ready, &number);
  lock = pv_lock_acquire_at (fixture->dir_fd, ".ref", PV_LOCK_SHARED, PV_LOCK_FLAGS_NONE, &wait,
                             &error);
  g_assert_no_error (error);
  g_assert_nonnull (lock);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  sigprocmask (SIG_UNBLOCK, &ready, NULL);
}

static void
test_interrupted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const struct sigaction action = { .sa_handler = ignore };
  struct sigaction previous;

  pv_fixture_write (fixture, ".ref", "");
  sigaction (SIGUSR1, &action, &previous);
  wait_through_interrupts (fixture, PV_LOCK_WAIT_FOREVER);
  wait_through_interrupts (fixture, 60 * 1000);
  sigaction (SIGUSR1, &previous, NULL);
}

static void
test_create (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) lock = lock_now (fixture, PV_LOCK_SHARED, &error);
  mode_t mask = umask (077);
  struct stat st;

  /* Whoever can read the folder can lock, whatever the umask is. */
  g_assert_cmpint (fchmodat (fixture->dir_fd, ".", 0755, 0), ==, 0);
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (pv_fixture_exists (fixture, ".ref"));

  lock = pv_lock_acquire_at (fixture->dir_fd, ".ref", PV_LOCK_SHARED, PV_LOCK_CREATE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fstat (pv_lock_get_fd (lock), &st), ==, 0);
  g_assert_cmpint (st.st_mode, ==, S_IFREG | 0644);
  g_assert_cmpint (fcntl (pv_lock_get_fd (lock), F_GETFL) & O_ACCMODE, ==, O_RDONLY);
  g_assert_cmpint (fcntl (pv_lock_get_fd (lock), F_GETFD), ==, FD_CLOEXEC);
  umask (mask);
}

static void
assert_code (PvFixture *fixture, PvLockMode mode, PvLockFlags flags, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (pv_lock_acquire_at (fixture->dir_fd, ".ref", mode, flags, NULL, &error));
  g_assert_error (error, PV_ERROR, code);
}

static void
test_links (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "usr/.ref", ".ref>usr/.ref", NULL };
  g_autofree char *real = pv_fixture_path (fixture, "usr/.ref");
  g_autoptr (PvLock) lock = NULL;

  /* It may lead to a file in the folder, and it is that one which is locked. */
  pv_fixture_make (fixture, made);
  lock = lock_now (fixture, PV_LOCK_SHARED, NULL);
  g_assert_nonnull (lock);
  g_assert_false (pv_holder_would_get (real, PV_HOLD_OFD, TRUE));

  /* Nothing is created through a link, and none may lead out. */
  g_assert_cmpint (unlinkat (fixture->dir_fd, "usr/.ref", 0), ==, 0);
  assert_code (fixture, PV_LOCK_SHARED, PV_LOCK_CREATE, PV_ERROR_NOT_FOUND);
  g_assert_false (pv_fixture_exists (fixture, "usr/.ref"));

  g_assert_cmpint (unlinkat (fixture->dir_fd, ".ref", 0), ==, 0);
  g_assert_cmpint (symlinkat ("/etc/passwd", fixture->dir_fd, ".ref"), ==, 0);
  assert_code (fixture, PV_LOCK_SHARED, PV_LOCK_CREATE, PV_ERROR_INVALID);
}

static void
test_no_file (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  /* Nobody writes to it: an open that waits would wait for ever. */
  g_assert_cmpint (mkfifoat (fixture->dir_fd, ".ref", 0644), ==, 0);
  assert_code (fixture, PV_LOCK_SHARED, PV_LOCK_FLAGS_NONE, PV_ERROR_INVALID);
  assert_code (fixture, PV_LOCK_EXCLUSIVE, PV_LOCK_CREATE, PV_ERROR_INVALID);
  g_assert_cmpint (unlinkat (fixture->dir_fd, ".ref", 0), ==, 0);
  g_assert_cmpint (mkdirat (fixture->dir_fd, ".ref", 0755), ==, 0);
  assert_code (fixture, PV_LOCK_SHARED, PV_LOCK_FLAGS_NONE, PV_ERROR_INVALID);
}

/* As an ordinary user, on a file that belongs to somebody else and cannot be written to. */
static int
lock_as_user (gconstpointer data)
{
  const PvFixture *fixture = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) shared = NULL;

  if (getuid () == 0 && (setgroups (0, NULL) < 0 || setresgid (65534, 65534, 65534) < 0
                         || setresuid (65534, 65534, 65534) < 0))
    return SKIPPED;
  shared = pv_lock_acquire_at (fixture->dir_fd, ".ref", PV_LOCK_SHARED, PV_LOCK_CREATE, NULL, NULL);
  if (shared == NULL)
    return 1;
  if (pv_lock_acquire_at (fixture->dir_fd, ".ref", PV_LOCK_EXCLUSIVE, PV_LOCK_FLAGS_NONE, NULL,
                          &error) != NULL)
    return 2;
  return g_error_matches (error, PV_ERROR, PV_ERROR_FAILED) ? 0 : 3;
}

static void
test_not_writable (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  int status;

  pv_fixture_write (fixture, ".ref", "");
  g_assert_cmpint (fchmodat (fixture->dir_fd, ".ref", 0444, 0), ==, 0);
  g_assert_cmpint (fchmod (fixture->dir_fd, 0755), ==, 0);
  status = pv_child_run (lock_as_user, fixture);
  if (status == SKIPPED)
    g_test_skip ("no other user can be had in this namespace");
  else
    g_assert_cmpint (status, ==, 0);
}

static int
lock_read_only (gconstpointer data)
{
  const PvFixture *fixture = data;
  g_autoptr (PvLock) lock = NULL;
  g_autoptr (GError) error = NULL;
  pv_autofd folder = -1;

  if (mount (fixture->path, fixture->path, NULL, MS_BIND, NULL) < 0
      || mount (NULL, fixture->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
    return SKIPPED;
  folder = open (fixture->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  lock = pv_lock_acquire_at (folder, ".ref", PV_LOCK_SHARED, PV_LOCK_CREATE, NULL, NULL);
  if (lock == NULL)
    return 1;
  if (pv_lock_acquire_at (folder, "missing", PV_LOCK_SHARED, PV_LOCK_CREATE, NULL, &error) != NULL)
    return 2;
  return strstr (error->message, "missing") != NULL ? 0 : 3;
}

static void
test_read_only_filesystem (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *why_not = NULL;
  int status;

  pv_fixture_write (fixture, ".ref", "");
  if (!pv_child_run_in_namespaces (lock_read_only, fixture, &status, &why_not))
    g_test_skip (why_not);
  else
    g_assert_cmpint (status, ==, 0);
}

/* Each holder has an open file description of its own. */
static void
test_share (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  g_autofree char *lock_path = NULL;
  g_autoptr (GError) error = NULL;
  PvLock *lock, *second;
  int fd;

  pv_fixture_write (fixture, ".ref", "");
  lock = lock_now (fixture, PV_LOCK_SHARED, &error);
  lock_path = pv_lock_get_path (lock);
  g_assert_cmpstr (lock_path, ==, path);

  second = pv_lock_share (lock, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (pv_lock_get_fd (lock), F_OFD_SETLK, &unlock), ==, 0);
  g_assert_false (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  pv_lock_release (lock);
  g_assert_false (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));

  fd = pv_lock_give_fd_away (second);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_false (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  pv_fd_clear (&fd);
  g_assert_true (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  pv_lock_release (NULL);
}

static void
assert_shares (const PvLock *lock)
{
  g_autoptr (PvLock) second = pv_lock_share (lock, NULL);
  struct stat held, shared;

  g_assert_nonnull (second);
  g_assert_cmpint (fstat (pv_lock_get_fd (lock), &held), ==, 0);
  g_assert_cmpint (fstat (pv_lock_get_fd (second), &shared), ==, 0);
  g_assert_cmpuint (held.st_ino, ==, shared.st_ino);
}

/* A file that was deleted or replaced meanwhile can still be shared: what is locked, not a name. */
static void
test_share_deleted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvLock) lock = NULL;

  pv_fixture_write (fixture, ".ref", "");
  lock = lock_now (fixture, PV_LOCK_SHARED, NULL);
  g_assert_cmpint (unlinkat (fixture->dir_fd, ".ref", 0), ==, 0);
  assert_shares (lock);
  pv_fixture_write (fixture, ".ref", "");
  assert_shares (lock);
}

static void
test_fallback (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  g_autoptr (GError) error = NULL;
  PvLock *lock, *second;

  pv_fixture_write (fixture, ".ref", "");
  g_setenv (NO_OFD, "1", TRUE);
  lock = lock_now (fixture, PV_LOCK_SHARED, &error);
  g_assert_no_error (error);
  second = pv_lock_share (lock, &error);
  g_unsetenv (NO_OFD);
  g_assert_no_error (error);

  g_assert_true (pv_lock_is_process_oriented (lock));
  g_assert_true (pv_lock_is_process_oriented (second));
  g_assert_false (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  g_assert_false (pv_holder_would_get (path, PV_HOLD_POSIX, TRUE));
  pv_lock_release (second);
  pv_lock_release (lock);
  g_assert_true (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/lock/matrix", test_matrix);
  pv_fixture_add ("/lock/timeout", test_timeout);
  pv_fixture_add ("/lock/interrupted", test_interrupted);
  pv_fixture_add ("/lock/create", test_create);
  pv_fixture_add ("/lock/links", test_links);
  pv_fixture_add ("/lock/no-file", test_no_file);
  pv_fixture_add ("/lock/not-writable", test_not_writable);
  pv_fixture_add ("/lock/read-only-filesystem", test_read_only_filesystem);
  pv_fixture_add ("/lock/share", test_share);
  pv_fixture_add ("/lock/share-deleted", test_share_deleted);
  pv_fixture_add ("/lock/fallback", test_fallback);
  return g_test_run ();
}
