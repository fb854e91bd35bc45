/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bubblewrap, from its start until the program runs or cannot run. */
#include "launch/start.h"

#include "base/error.h"
#include "base/fd.h"
#include "host/bwrap-failure.h"
#include "launch/await.h"
#include "launch/namespace.h"
#include "launch/overlay.h"
#include "launch/protocol.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What bubblewrap says is a line or two. */
#define MAX_ERRORS (64 * 1024)

/* Borrows the strings. */
static char **
without_loader_variables (char **environment)
{
  GPtrArray *kept = g_ptr_array_new ();

  for (gsize i = 0; environment[i] != NULL; i++)
    {
      if (!pv_environment_is_for_loader (environment[i]))
        g_ptr_array_add (kept, environment[i]);
    }
  g_ptr_array_add (kept, NULL);
  return (char **) g_ptr_array_free (kept, FALSE);
}

static void
init_spawn (const PvFdSet *set, const sigset_t *mask, posix_spawn_file_actions_t *actions,
            posix_spawnattr_t *attributes)
{
  sigset_t to_default;

  posix_spawn_file_actions_init (actions);
  posix_spawn_file_actions_adddup2 (actions, set->errors, STDERR_FILENO);
  /* An fd on itself: glibc takes close-on-exec away in the child, since 2.29. */
  for (guint i = 0; i < set->inherited->len; i++)
    {
      int fd = g_array_index (set->inherited, int, i);

      posix_spawn_file_actions_adddup2 (actions, fd, fd);
    }

  /* Bubblewrap cannot wait for its child where SIGCHLD is ignored. */
  sigemptyset (&to_default);
  sigaddset (&to_default, SIGCHLD);
  posix_spawnattr_init (attributes);
  posix_spawnattr_setsigmask (attributes, mask);
  posix_spawnattr_setsigdefault (attributes, &to_default);
  posix_spawnattr_setflags (attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/**
 * pv_start_bwrap:
 * @argv: (array zero-terminated=1): bubblewrap's
 * @mask: the signal mask of the program
 *
 * Returns: the pid of bubblewrap, or -1 with @error set
 */
pid_t
pv_start_bwrap (const PvLaunchInput *input, const PvFdSet *set, char **argv, const sigset_t *mask,
                GError **error)
{
  g_autofree char **environment = without_loader_variables (input->environment);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  pid_t pid = -1;
  int result;

  if (input->copy != NULL && input->copy->overlay == PV_SYSROOT_OVERLAY)
    return pv_namespace_start (input, set, argv, environment, mask, error);

  init_spawn (set, mask, &actions, &attributes);
  result = posix_spawn (&pid, input->bwrap, &actions, &attributes, argv, environment);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  if (result == 0)
    return pid;
  pv_error_set_errno (error, result, "Cannot execute bubblewrap \"%s\"", input->bwrap);
  return -1;
}

/* Bubblewrap has ended before anything of ours ran inside. */
static gboolean
set_bwrap_failed (const PvFdSet *set, int wait_status, GError **error)
{
  g_autofree char *text = NULL;

  if (WIFSIGNALED (wait_status))
    return pv_error_set (error, PV_ERROR_FAILED,
                         "Cannot start the container: bubblewrap was ended by signal %d",
                         WTERMSIG (wait_status));
  if (lseek (set->errors, 0, SEEK_SET) < 0)
    return pv_error_set_errno (error, errno, "Cannot read what bubblewrap said");
  text = pv_fd_read_all (set->errors, MAX_ERRORS, NULL, error);
  if (text == NULL)
    return FALSE;
  /* It itself has nothing to say. */
  if (text[0] == '\0' && WEXITSTATUS (wait_status) > PV_STATUS_SIGNAL_BASE)
    return pv_error_set (error, PV_ERROR_FAILED,
                         "Cannot start the container: its first process was ended by signal %d",
                         WEXITSTATUS (wait_status) - PV_STATUS_SIGNAL_BASE);
  return pv_bwrap_failure_set (text, error);
}

/* The supervisor inside counts expectations, in the order of the mounts that have an fd. */
static gboolean
set_replaced (const PvPlan *plan, int which, GError **error)
{
  for (guint i = 0; i < plan->mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (plan->mounts, i);

      if (mount->fd >= 0 && which-- == 0)
        return pv_error_set (error, PV_ERROR_CHANGED,
                             "Cannot mount \"%s\": it was replaced meanwhile", mount->source);
    }
  return pv_error_set (error, PV_ERROR_FAILED, "Cannot start the container: invalid message");
}

/* All that bubblewrap makes is in a mount namespace of its own from the beginning.  Who was there
 * before the launch can leave children too. */
static gboolean
is_in_our_namespace (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/ns/mnt", pid);
  g_autofree char *theirs = g_file_read_link (path, NULL);
  g_autofree char *ours = g_file_read_link ("/proc/self/ns/mnt", NULL);

  return theirs != NULL && g_strcmp0 (theirs, ours) == 0;
}

/**
 * pv_start_is_ours:
 * @text: the pid of a child of this process
 *
 * Returns: whether the launch has made it, and it is not bubblewrap
 */
gboolean
pv_start_is_ours (const PvStarted *started, const char *text)
{
  pid_t pid = (pid_t) g_ascii_strtoll (text, NULL, 10);

  if (pid <= 0 || pid == started->bwrap)
    return FALSE;
  return started->before[0] == NULL
         || (!g_strv_contains ((const char *const *) started->before, text)
             && !is_in_our_namespace (text));
}

/**
 * pv_start_list_children:
 *
 * Returns: (transfer full) (array zero-terminated=1): the pids of this process's children, as text;
 *  none if the kernel does not list them (without CONFIG_PROC_CHILDREN)
 */
char **
pv_start_list_children (void)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents ("/proc/thread-self/children", &text, NULL, NULL))
    return g_new0 (char *, 1);
  return g_strsplit (g_strstrip (text), " ", -1);
}

/**
 * pv_start_end_orphans:
 *
 * Bubblewrap's own child waits for a word from its parent, for ever if that one was killed before
 * it gave it.  It has come to this process, a subreaper, as does whatever it leaves: end them.
 */
void
pv_start_end_orphans (const PvStarted *started)
{
  gboolean found = TRUE;

  while (found)
    {
      g_auto (GStrv) pids = pv_start_list_children ();

      found = FALSE;
      for (gsize i = 0; pids[i] != NULL; i++)
        {
          pid_t pid = (pid_t) g_ascii_strtoll (pids[i], NULL, 10);

          if (!pv_start_is_ours (started, pids[i]))
            continue;
          found = TRUE;
          kill (pid, SIGKILL);
          TEMP_FAILURE_RETRY (waitpid (pid, NULL, 0));
        }
    }
}

/* Where bubblewrap was killed, what it would have waited for has come to this process. */
static int
reap (const PvStarted *started)
{
  int status = 0;

  TEMP_FAILURE_RETRY (waitpid (started->bwrap, &status, 0));
  pv_start_end_orphans (started);
  return status;
}

/* The supervisor inside has been killed before it could say that the program runs.  Its children come
 * to this process when it has gone. */
static gboolean
does_program_run (const PvStarted *started)
{
  siginfo_t info;

  while (started->program > 0 && kill (started->program, 0) == 0)
    {
      if (waitid (P_PID, (id_t) started->program, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        return TRUE;
      g_usleep (500);
    }
  return FALSE;
}

/**
 * pv_start_wait:
 * @set: (inout): this process's copy of the socket's inner end is closed
 * @started: (inout): bubblewrap; it is waited for unless the program runs; the others are learned
 * @signals: a signalfd of what is passed on, and SIGCHLD
 * @ret_status: (out): -1: the program runs; else the exit status: it does not, and the supervisor
 *  inside has said why, or a signal has ended the launch
 *
 * Waits until the program runs, or cannot run.
 *
 * Returns: %FALSE with @error set if bubblewrap failed
 */
gboolean
pv_start_wait (const PvLaunchInput *input, PvFdSet *set, PvStarted *started, int signals,
               int *ret_status, GError **error)
{
  PvMessage message;
  int ended_by = 0;
  int wait_status;

  /* Or its end would not be seen. */
  pv_fd_clear (&set->link_inside);
  *ret_status = -1;
  if (pv_await_message (set->link_outside, started, signals, &message, &ended_by))
    {
      if (message.kind == PV_MESSAGE_STARTED)
        {
          /* Who mounts by itself has done that already. */
          if (input->copy != NULL && input->copy->overlay == PV_SYSROOT_OVERLAY_BY_BWRAP)
            pv_overlay_make_deletable (input->copy->fd);
          return TRUE;
        }
      reap (started);
      *ret_status = message.value;
      if (message.kind != PV_MESSAGE_REPLACED)
        return TRUE;
      if (ended_by == 0)
        return set_replaced (input->plan, message.value, error);
    }
  else
    {
      if (does_program_run (started))
        return TRUE;
      wait_status = reap (started);
      if (ended_by == 0 && started->program == 0)
        return set_bwrap_failed (set, wait_status, error);
    }
  *ret_status = PV_STATUS_SIGNAL_BASE + (ended_by != 0 ? ended_by : SIGKILL);
  return TRUE;
}
