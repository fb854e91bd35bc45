/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bubblewrap in a mount namespace of our own, in which the overlay of a mutable copy is mounted: for
 * bubblewraps that cannot do it.  The caller's uid and gid are mapped to themselves: as uid 0
 * bubblewrap would keep every capability. */
#include "launch/namespace.h"

#include "base/error.h"
#include "launch/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)

/**
 * Child: what the process that becomes bubblewrap needs, and what it says.  It shares this process's
 * memory until then, and makes nothing but system calls.
 * @maps: for a user namespace: file and contents; %NULL: there is none
 * @failed: (out): what it could not do; %NULL: nothing
 * @failure: (out): errno
 */
typedef struct
{
  const PvLaunchInput *input;
  const PvFdSet *set;
  char **argv;
  char **environment;
  const sigset_t *mask;
  const char *const (*maps)[2];
  const char *failed;
  int failure;
} Child;

static gboolean
fail (Child *self, const char *what)
{
  self->failed = what;
  self->failure = errno;
  return FALSE;
}

static gboolean
write_file (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean done = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text);

  if (fd >= 0)
    close (fd);
  return done;
}

static gboolean
become_oneself (Child *self)
{
  if (self->maps == NULL)
    /* What is mounted from here on is nobody else's. */
    return mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
           || fail (self, "make mounts private");
  for (int i = 0; i < 3; i++)
    {
      if (!write_file (self->maps[i][0], self->maps[i][1]))
        return fail (self, "map the user");
    }
  return TRUE;
}

static int
run_child (gpointer data)
{
  Child *self = data;
  const char *what;

  if (!become_oneself (self))
    return 1;
  if ((what = pv_overlay_mount (self->input->copy)) != NULL)
    {
      fail (self, what);
      return 1;
    }
  dup2 (self->set->errors, STDERR_FILENO);
  for (guint i = 0; i < self->set->inherited->len; i++)
    fcntl (g_array_index (self->set->inherited, int, i), F_SETFD, 0);
  sigprocmask (SIG_SETMASK, self->mask, NULL);
  execve (self->input->bwrap, self->argv, self->environment);
  fail (self, "execute bubblewrap");
  return 1;
}

static pid_t
start (Child *self)
{
  g_autofree char *stack = g_malloc (STACK_SIZE);
  int namespaces = CLONE_NEWNS | (self->maps != NULL ? CLONE_NEWUSER : 0);

  return clone (run_child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD | namespaces, self);
}

/**
 * pv_namespace_start:
 * @argv: (array zero-terminated=1): bubblewrap's
 * @environment: (array zero-terminated=1): bubblewrap's
 * @mask: the signal mask of the program
 *
 * Returns: the pid of bubblewrap, or -1 with @error set; %PV_ERROR_UNSUPPORTED: there is no overlay
 *  here, for this user
 */
pid_t
pv_namespace_start (const PvLaunchInput *input, const PvFdSet *set, char **argv, char **environment,
                    const sigset_t *mask, GError **error)
{
  g_autofree char *uid_map = g_strdup_printf ("%u %u 1", geteuid (), geteuid ());
  g_autofree char *gid_map = g_strdup_printf ("%u %u 1", getegid (), getegid ());
  const char *const maps[][2] = {
    { "/proc/self/setgroups", "deny" },
    { "/proc/self/uid_map", uid_map },
    { "/proc/self/gid_map", gid_map },
  };
  Child child = {
    .input = input,
    .set = set,
    .argv = argv,
    .environment = environment,
    .mask = mask,
    .maps = geteuid () == 0 ? NULL : maps,
  };
  pid_t pid = start (&child);

  if (pid > 0 && child.failed == NULL)
    return pid;
  if (pid < 0)
    fail (&child, "create namespaces");
  else
    TEMP_FAILURE_RETRY (waitpid (pid, NULL, 0));
  pv_error_set (error, PV_ERROR_UNSUPPORTED, "Cannot %s for the mutable copy \"%s\": %s",
                child.failed, input->copy->path, g_strerror (child.failure));
  return -1;
}
