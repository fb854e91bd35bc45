/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The time between the start of bubblewrap and the word from inside that the program runs, or not.
 *
 * A signal that comes now is sent inside, whatever goes on there: the supervisor finds it before it
 * starts the program, and does not start it, or passes it on.  So nobody has to be killed, who might
 * be starting the program at that moment; only if no answer comes is all of it ended. */
#include "launch/await.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A mount may not answer, or bubblewrap's child wait for a word from one who was killed. */
#define ANSWER_MS 3000

/**
 * PvAwaiting:
 * @link: the socket to the supervisor inside
 * @started: who takes part
 * @ended_by: the first signal that asked to end; 0: none
 * @deadline: when everything is ended, if there has been no answer: microseconds; 0: never
 */
typedef struct
{
  int link;
  PvStarted *started;
  int ended_by;
  gint64 deadline;
} PvAwaiting;

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
expect_answer (PvAwaiting *self)
{
  if (self->deadline == 0)
    self->deadline = g_get_monotonic_time () + ANSWER_MS * 1000;
}

/* The program may have stopped its parent before that one could say that the program runs. */
static void
wake_stopped (const PvAwaiting *self)
{
  siginfo_t info = { .si_pid = 0 };

  while (waitid (P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid > 0)
    {
      g_autofree char *pid = g_strdup_printf ("%d", info.si_pid);

      if (pv_start_is_ours (self->started, pid))
        kill (info.si_pid, SIGCONT);
      info.si_pid = 0;
    }
}

/* Who has killed bubblewrap may have killed it before it gave its child the word to go on. */
static gboolean
has_lost_bwrap (const PvAwaiting *self)
{
  siginfo_t info = { .si_pid = 0 };

  return self->started->program == 0
         && waitid (P_PID, (id_t) self->started->bwrap, &info, WEXITED | WNOHANG | WNOWAIT) == 0
         && info.si_pid == self->started->bwrap && info.si_code != CLD_EXITED;
}

static void
pass_on (PvAwaiting *self, int number)
{
  PvMessage message = { .kind = PV_MESSAGE_SIGNAL, .value = number };

  TEMP_FAILURE_RETRY (send (self->link, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT));
  if (!pv_protocol_ends_start (number))
    return;
  if (self->ended_by == 0)
    self->ended_by = number;
  expect_answer (self);
}

/* What the terminal sends to the whole process group is passed on until the program's process is
 * known to be there: to have it twice is better than never. */
static void
handle_signals (PvAwaiting *self, int signals)
{
  struct signalfd_siginfo info;

  while (TEMP_FAILURE_RETRY (read (signals, &info, sizeof info)) == (ssize_t) sizeof info)
    {
      if (info.ssi_signo != SIGCHLD && info.ssi_code == SI_KERNEL && self->started->program > 0)
        continue;
      if (info.ssi_signo != SIGCHLD)
        pass_on (self, (int) info.ssi_signo);
      else if (has_lost_bwrap (self))
        expect_answer (self);
      else
        wake_stopped (self);
    }
}

static int
get_timeout (const PvAwaiting *self)
{
  gint64 left = (self->deadline - g_get_monotonic_time () + 999) / 1000;

  if (self->deadline == 0)
    return -1;
  return left > 0 ? (int) left : 0;
}

static void
end_all (PvAwaiting *self)
{
  self->deadline = 0;
  kill (self->started->bwrap, SIGKILL);
  pv_start_end_orphans (self->started);
}

/* Returns: what recvmsg(2) says; 0: all who had the other end have gone */
static ssize_t
wait_for_message (PvAwaiting *self, int signals, PvMessage *ret_message, pid_t *ret_sender)
{
  for (;;)
    {
      struct pollfd fds[] = {
        { .fd = self->link, .events = POLLIN },
        { .fd = signals, .events = POLLIN },
      };
      int n_ready = (int) TEMP_FAILURE_RETRY (poll (fds, G_N_ELEMENTS (fds), get_timeout (self)));

      if (n_ready < 0)
        return -1;
      if (fds[0].revents != 0)
        return receive (self->link, ret_message, ret_sender);
      if (n_ready == 0)
        end_all (self);
      handle_signals (self, signals);
    }
}

/**
 * pv_await_message:
 * @link: the socket to the supervisor inside
 * @started: (inout): gets the supervisor inside and the program, when it runs
 * @signals: a signalfd of what is passed on, and SIGCHLD
 * @ret_message: (out): what became of the program
 * @ret_ended_by: (out): the signal that asked to end meanwhile, or 0
 *
 * From the moment when the program is about to begin, bubblewrap has nothing left to do: it is ended,
 * and the supervisor inside becomes a child of this process, which sees if it is stopped.
 *
 * Returns: %FALSE if all have gone who could have said so
 */
gboolean
pv_await_message (int link, PvStarted *started, int signals, PvMessage *ret_message,
                  int *ret_ended_by)
{
  PvAwaiting self = { .link = link, .started = started };
  pid_t sender;
  ssize_t got;

  while ((got = wait_for_message (&self, signals, ret_message, &sender)) == sizeof *ret_message
         && ret_message->kind == PV_MESSAGE_STARTING)
    {
      handle_signals (&self, signals);
      started->program = sender;
      kill (started->bwrap, SIGKILL);
    }
  *ret_ended_by = self.ended_by;
  if (got != (ssize_t) sizeof *ret_message)
    return FALSE;

  started->inside = sender;
  handle_signals (&self, signals);
  return TRUE;
}
