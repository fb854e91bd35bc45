/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one place that calls fcntl(2) for locks. */
#include "lock/range.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct flock
whole_file (PvLockMode mode)
{
  struct flock range = {
    .l_type = mode == PV_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK,
    .l_whence = SEEK_SET,
  };

  return range;
}

/* Linux before 3.15 has no OFD locks and says EINVAL.  The tests force that answer. */
static gboolean
ofd_is_switched_off (void)
{
#ifdef PV_TEST_HOOKS
  return g_strcmp0 (getenv ("PV_LAUNCH_TEST_NO_OFD"), "1") == 0;
#else
  return FALSE;
#endif
}

static int
lock_once (int fd, PvLockMode mode, gboolean wait, gboolean *ret_process_oriented)
{
  struct flock range = whole_file (mode);
  int result = -1;

  *ret_process_oriented = ofd_is_switched_off ();
  if (!*ret_process_oriented)
    {
      result = fcntl (fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
      *ret_process_oriented = result < 0 && errno == EINVAL;
    }
  if (*ret_process_oriented)
    result = fcntl (fd, wait ? F_SETLKW : F_SETLK, &range);
  return result;
}

static void
interrupt (int number)
{
}

/* A timer that goes on firing: a single signal could arrive just before the wait begins. */
static gboolean
start_timer (int timeout_ms, timer_t *ret_timer, struct sigaction *ret_previous)
{
  struct sigaction action = { .sa_handler = interrupt };
  struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
  struct itimerspec when = {
    .it_value = { timeout_ms / 1000, (timeout_ms % 1000) * 1000000L },
    .it_interval = { 0, 10 * 1000000L },
  };

  event._sigev_un._tid = (pid_t) syscall (SYS_gettid);
  sigemptyset (&action.sa_mask);
  if (timer_create (CLOCK_MONOTONIC, &event, ret_timer) < 0)
    return FALSE;
  sigaction (SIGALRM, &action, ret_previous);
  timer_settime (*ret_timer, 0, &when, NULL);
  return TRUE;
}

static int
lock_until (int fd, PvLockMode mode, int timeout_ms, gboolean *ret_process_oriented)
{
  gint64 deadline = g_get_monotonic_time () + (gint64) timeout_ms * 1000;
  struct sigaction previous;
  sigset_t alarm, mask;
  timer_t timer;
  int result;
  int saved_errno;

  if (!start_timer (timeout_ms, &timer, &previous))
    return -1;
  sigemptyset (&alarm);
  sigaddset (&alarm, SIGALRM);
  pthread_sigmask (SIG_UNBLOCK, &alarm, &mask);

  do
    result = lock_once (fd, mode, TRUE, ret_process_oriented);
  while (result < 0 && errno == EINTR && g_get_monotonic_time () < deadline);
  saved_errno = errno;

  timer_delete (timer);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
  sigaction (SIGALRM, &previous, NULL);
  errno = saved_errno == EINTR ? EAGAIN : saved_errno;
  return result;
}

/**
 * pv_range_lock:
 * @fd: `O_RDONLY` will do for a shared lock; an exclusive one needs a writable fd
 * @mode: the mode
 * @timeout_ms: milliseconds; %PV_LOCK_NEVER_WAIT; %PV_LOCK_WAIT_FOREVER
 * @ret_process_oriented: (out): whether the kernel had no OFD locks, and the lock is a
 *  process-oriented one
 *
 * Locks the whole file.  While it waits up to a time, it uses `SIGALRM`.
 *
 * Returns: %FALSE with `errno` set; `EAGAIN` if somebody else is still in the way
 */
gboolean
pv_range_lock (int fd, PvLockMode mode, int timeout_ms, gboolean *ret_process_oriented)
{
  int result;

  if (timeout_ms == PV_LOCK_NEVER_WAIT)
    result = TEMP_FAILURE_RETRY (lock_once (fd, mode, FALSE, ret_process_oriented));
  else if (timeout_ms == PV_LOCK_WAIT_FOREVER)
    result = TEMP_FAILURE_RETRY (lock_once (fd, mode, TRUE, ret_process_oriented));
  else
    result = lock_until (fd, mode, timeout_ms, ret_process_oriented);

  if (result < 0 && errno == EACCES)
    errno = EAGAIN;
  return result == 0;
}

/**
 * pv_range_get_holder:
 * @fd: an open fd of the lock file
 * @mode: the lock that could not be had
 *
 * Returns: the pid of a process whose process-oriented lock is in the way; 0 if there is none, or
 *  if the holder has an OFD lock, which belongs to no process
 */
int
pv_range_get_holder (int fd, PvLockMode mode)
{
  struct flock range = whole_file (mode);

  if (fcntl (fd, F_GETLK, &range) < 0 || range.l_type == F_UNLCK || range.l_pid <= 0)
    return 0;
  return range.l_pid;
}
