/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only another process can show. */
#include "child.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_NO_NAMESPACE 100

static int
wait_for (pid_t pid)
{
  int status;

  g_assert_cmpint (TEMP_FAILURE_RETRY (waitpid (pid, &status, 0)), ==, pid);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

/* A child must not outlive a test that failed. */
static pid_t
fork_child (void)
{
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    prctl (PR_SET_PDEATHSIG, SIGKILL);
  return pid;
}

/**
 * pv_child_run:
 *
 * Returns: what @func returned in a process of its own
 */
int
pv_child_run (PvChildFunc func, gconstpointer data)
{
  pid_t pid = fork_child ();

  if (pid == 0)
    _exit (func (data));
  return wait_for (pid);
}

static gboolean
write_file (const char *path, const char *text)
{
  pv_autofd fd = open (path, O_WRONLY | O_CLOEXEC);

  return fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);
}

static gboolean
enter_namespaces (void)
{
  uid_t uid = getuid ();
  gid_t gid = getgid ();
  char map[64];

  if (uid != 0)
    {
      if (unshare (CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return FALSE;
      g_snprintf (map, sizeof map, "0 %u 1\n", uid);
      if (!write_file ("/proc/self/uid_map", map) || !write_file ("/proc/self/setgroups", "deny"))
        return FALSE;
      g_snprintf (map, sizeof map, "0 %u 1\n", gid);
      if (!write_file ("/proc/self/gid_map", map))
        return FALSE;
    }
  else if (unshare (CLONE_NEWNS) < 0)
    {
      return FALSE;
    }
  return mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/**
 * pv_child_run_in_namespaces:
 * @ret_status: (out): what @func returned in a process that can mount
 * @ret_why_not: (out) (optional): why there can be no such process
 *
 * Returns: %FALSE if there can be no such process
 */
gboolean
pv_child_run_in_namespaces (PvChildFunc func, gconstpointer data, int *ret_status,
                            char **ret_why_not)
{
  pid_t pid = fork_child ();

  if (pid == 0)
    _exit (enter_namespaces () ? func (data) : STATUS_NO_NAMESPACE);
  *ret_status = wait_for (pid);
  if (*ret_status != STATUS_NO_NAMESPACE)
    return TRUE;
  *ret_why_not = g_strdup ("no mount namespace can be made here");
  return FALSE;
}

/**
 * pv_hold_fd:
 *
 * Returns: whether the lock was granted; %FALSE with `errno` set
 */
gboolean
pv_hold_fd (int fd, PvHoldKind kind, gboolean exclusive, gboolean wait)
{
  struct flock range = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

  switch (kind)
    {
    case PV_HOLD_OFD:
      return fcntl (fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) == 0;
    case PV_HOLD_POSIX:
      return fcntl (fd, wait ? F_SETLKW : F_SETLK, &range) == 0;
    case PV_HOLD_BSD:
    default:
      return flock (fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) == 0;
    }
}

static int
open_for (const char *path, gboolean exclusive)
{
  int fd = open (path, (exclusive ? O_RDWR : O_RDONLY) | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

/**
 * pv_holder_start:
 *
 * Returns: a process that holds a lock on @path
 */
PvHolder
pv_holder_start (const char *path, PvHoldKind kind, gboolean exclusive)
{
  PvHolder holder;
  int ready[2], stop[2];
  char byte;

  g_assert_cmpint (pipe2 (ready, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (stop, O_CLOEXEC), ==, 0);
  holder.pid = fork_child ();
  if (holder.pid == 0)
    {
      close (stop[1]);
      if (!pv_hold_fd (open_for (path, exclusive), kind, exclusive, FALSE)
          || write (ready[1], "r", 1) != 1)
        _exit (1);
      _exit (read (stop[0], &byte, 1) == 0 ? 0 : 1);
    }
  close (ready[1]);
  close (stop[0]);
  g_assert_cmpint (TEMP_FAILURE_RETRY (read (ready[0], &byte, 1)), ==, 1);
  close (ready[0]);
  holder.stop_fd = stop[1];
  return holder;
}

/**
 * pv_holder_stop:
 *
 * Lets go of the lock, and waits until that is so.
 */
void
pv_holder_stop (PvHolder *holder)
{
  pv_fd_clear (&holder->stop_fd);
  g_assert_cmpint (wait_for (holder->pid), ==, 0);
}

typedef struct
{
  const char *path;
  PvHoldKind kind;
  gboolean exclusive;
} Attempt;

static int
try_in_child (gconstpointer data)
{
  const Attempt *attempt = data;
  int fd = open_for (attempt->path, attempt->exclusive);

  if (pv_hold_fd (fd, attempt->kind, attempt->exclusive, FALSE))
    return 0;
  return errno == EAGAIN || errno == EACCES ? 1 : 2;
}

/**
 * pv_holder_would_get:
 *
 * Returns: whether another process gets that lock now
 */
gboolean
pv_holder_would_get (const char *path, PvHoldKind kind, gboolean exclusive)
{
  const Attempt attempt = { path, kind, exclusive };
  int status = pv_child_run (try_in_child, &attempt);

  g_assert_cmpint (status, <=, 1);
  return status == 0;
}
