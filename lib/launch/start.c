/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bubblewrap, from its start until the program runs or cannot run. */
#include "launch/start.h"

#include "base/error.h"
#include "base/fd.h"
#include "host/bwrap-failure.h"
#include "launch/protocol.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* As a shell has it. */
#define STATUS_SIGNAL_BASE 128

#define STOP_TIMEOUT_MS 100

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
set_bwrap_failed (const PvFdSet *set, int wait_status, int *ret_status, GError **error)
{
  g_autofree char *text = NULL;

  if (WIFSIGNALED (wait_status))
    {
      *ret_status = STATUS_SIGNAL_BASE + WTERMSIG (wait_status);
      return TRUE;
    }
  if (lseek (set->errors, 0, SEEK_SET) < 0)
    return pv_error_set_errno (error, errno, "Cannot read what bubblewrap said");
  text = pv_fd_read_all (set->errors, MAX_ERRORS, NULL, error);
  if (text == NULL)
    return FALSE;
  /* A signal has ended its child, it itself has nothing to say. */
  if (text[0] == '\0' && WEXITSTATUS (wait_status) > STATUS_SIGNAL_BASE)
    {
      *ret_status = WEXITSTATUS (wait_status);
      return TRUE;
    }
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

static gboolean
was_there (char **before, const char *pid)
{
  return before != NULL && g_strv_contains ((const char *const *) before, pid);
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

/* Returns: the pid of a child that bubblewrap has left, or 0: it is another one */
static pid_t
get_orphan (const PvStarted *started, const char *text)
{
  pid_t pid = (pid_t) g_ascii_strtoll (text, NULL, 10);

  return pid > 0 && pid != started->bwrap && !was_there (started->before, text) ? pid : 0;
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
          pid_t pid = get_orphan (started, pids[i]);

          if (pid == 0)
            continue;
          found = TRUE;
          kill (pid, SIGKILL);
          TEMP_FAILURE_RETRY (waitpid (pid, NULL, 0));
        }
    }
}

/* If it was killed, its child may still be on its way out. */
static int
reap (const PvStarted *started)
{
  int status = 0;

  TEMP_FAILURE_RETRY (waitpid (started->bwrap, &status, 0));
  pv_start_end_orphans (started);
  return status;
}

static gboolean
was_killed (pid_t bwrap)
{
  siginfo_t info = { .si_pid = 0 };

  return waitid (P_PID, (id_t) bwrap, &info, WEXITED | WNOHANG | WNOWAIT) == 0
         && info.si_pid == bwrap && info.si_code != CLD_EXITED;
}

/* Also what the terminal sent to the whole process group: the program was not yet there, or has it
 * twice, which is better than never.  Returns: %FALSE if there is no signal */
static gboolean
pass_on (int link, pid_t bwrap, int signals)
{
  struct signalfd_siginfo info;
  PvMessage message = { .kind = PV_MESSAGE_SIGNAL };

  if (TEMP_FAILURE_RETRY (read (signals, &info, sizeof info)) != (ssize_t) sizeof info)
    return FALSE;
  if (info.ssi_signo == SIGCHLD)
    return TRUE;
  message.value = (int32_t) info.ssi_signo;
  TEMP_FAILURE_RETRY (send (link, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT));
  /* It may be stuck, on a mount that does not answer. */
  if (bwrap <= 0)
    return TRUE;
  if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT
      || info.ssi_signo == SIGHUP)
    kill (bwrap, (int) info.ssi_signo);
  return TRUE;
}

/* Returns: what recvmsg(2) says */
static ssize_t
receive (int link, PvMessage *ret_message, pid_t *ret_sender)
{
  union
  {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof (struct ucred))];
  } control;
  struct iovec data = { .iov_base = ret_message, .iov_len = sizeof *ret_message };
  struct msghdr received = {
    .msg_iov = &data,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  ssize_t got = TEMP_FAILURE_RETRY (recvmsg (link, &received, MSG_CMSG_CLOEXEC));
  const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR (&received) : NULL;

  *ret_sender = 0;
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
    *ret_sender = ((const struct ucred *) (const void *) CMSG_DATA (header))->pid;
  return got;
}

static void
signal_orphans (const PvStarted *started, char **pids, int number)
{
  for (gsize i = 0; pids[i] != NULL; i++)
    {
      pid_t pid = get_orphan (started, pids[i]);

      if (pid > 0)
        kill (pid, number);
    }
}

static gboolean
is_any_at_rest (const PvStarted *started, char **pids)
{
  for (gsize i = 0; pids[i] != NULL; i++)
    {
      pid_t pid = get_orphan (started, pids[i]);
      siginfo_t info = { .si_pid = 0 };

      if (pid > 0 && waitid (P_PID, (id_t) pid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0
          && info.si_pid == pid)
        return TRUE;
    }
  return FALSE;
}

/* Bubblewrap has been killed.  Its child may wait for a word from it, for ever; or it is the
 * supervisor inside, which needs it no more, and may be about to start the program: that is not
 * to be killed without having got the signal.  Stopped, it does not begin with it; and if it has
 * begun, there is a message. */
static void
end_unless_starting (const PvStarted *started, struct pollfd *link)
{
  g_auto (GStrv) pids = pv_start_list_children ();

  signal_orphans (started, pids, SIGSTOP);
  /* What hangs in the kernel does not stop. */
  for (int i = 0; i < STOP_TIMEOUT_MS && !is_any_at_rest (started, pids); i++)
    {
      if (poll (link, 1, 1) != 0)
        break;
    }
  if (poll (link, 1, 0) > 0)
    signal_orphans (started, pids, SIGCONT);
  else
    pv_start_end_orphans (started);
}

/* Waits for the next message, and passes signals on meanwhile.
 * Returns: what recvmsg(2) says; 0: all who had the other end have gone */
static ssize_t
wait_for_message (int link, const PvStarted *started, int signals, PvMessage *ret_message,
                  pid_t *ret_sender)
{
  for (;;)
    {
      struct pollfd fds[] = {
        { .fd = link, .events = POLLIN },
        { .fd = signals, .events = POLLIN },
      };

      if (TEMP_FAILURE_RETRY (poll (fds, G_N_ELEMENTS (fds), -1)) < 0)
        return -1;
      if (fds[0].revents != 0)
        return receive (link, ret_message, ret_sender);
      pass_on (link, started->bwrap, signals);
      if (started->program == 0 && was_killed (started->bwrap))
        end_unless_starting (started, &fds[0]);
    }
}

/**
 * pv_start_wait:
 * @set: (inout): this process's copy of the socket's inner end is closed
 * @started: (inout): bubblewrap; it is waited for unless the program runs; the others are learned
 * @signals: a signalfd of what is passed on, and SIGCHLD
 * @ret_status: (out): -1: the program runs; else the exit status: it does not, and the supervisor
 *  inside has said why, or a signal ended bubblewrap
 *
 * Waits until the program runs, or cannot run.
 *
 * Returns: %FALSE with @error set if bubblewrap failed
 */
gboolean
pv_start_wait (const PvLaunchInput *input, PvFdSet *set, PvStarted *started, int signals,
               int *ret_status, GError **error)
{
  int link = set->link_outside;
  PvMessage message;
  pid_t sender;
  ssize_t got;

  /* Or its end would not be seen. */
  pv_fd_clear (&set->link_inside);
  while ((got = wait_for_message (link, started, signals, &message, &sender)) == sizeof message
         && message.kind == PV_MESSAGE_STARTING)
    started->program = sender;

  *ret_status = -1;
  if (got == (ssize_t) sizeof message && message.kind == PV_MESSAGE_STARTED)
    {
      started->inside = sender;
      while (pass_on (link, 0, signals))
        ;
      return TRUE;
    }

  if (got != (ssize_t) sizeof message)
    return set_bwrap_failed (set, reap (started), ret_status, error);
  reap (started);
  if (message.kind == PV_MESSAGE_REPLACED)
    return set_replaced (input->plan, message.value, error);
  *ret_status = message.value;
  return TRUE;
}
