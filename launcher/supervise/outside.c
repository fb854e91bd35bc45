/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Outside the container: waits for bubblewrap and the program, which pv-launch has started before it
 * became this program; passes signals on; returns the program's status. */
#include "supervise/outside.h"
#include "supervise/children.h"
#include "supervise/interactive.h"
#include "supervise/message.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/**
 * PvOutside:
 * @child: bubblewrap; 0 once it has been waited for
 * @child_status: of @child, as waitpid(2) gave it
 * @link: the socket to the supervisor inside; -1 once that one has gone
 * @status: what came from inside, or -1
 * @has_children: whether this process has any
 * @terminal: whether the program has the controlling terminal
 * @before: those that it had before the launch
 */
typedef struct
{
  pid_t child;
  int child_status;
  int link;
  int status;
  bool has_children;
  bool terminal;
  PvChildren before;
} PvOutside;

static bool
parse (PvOutside *self, int argc, char **argv)
{
  for (int i = 2; i < argc && strcmp (argv[i], "--") != 0; i++)
    {
      const char *value;

      if ((value = pv_option_value (argv[i], "--child=")) != NULL)
        self->child = pv_parse_fd (value);
      else if ((value = pv_option_value (argv[i], "--link=")) != NULL)
        self->link = pv_parse_fd (value);
      else if ((value = pv_option_value (argv[i], "--terminal=")) != NULL)
        self->terminal = strcmp (value, "1") == 0;
      else if ((value = pv_option_value (argv[i], "--before=")) != NULL)
        pv_children_parse (&self->before, value, NULL);
      else
        return false;
    }
  return self->child > 0 && self->link >= 0;
}

/* All that ends is reaped; children that this process had before the launch are not waited for. */
static void
reap (PvOutside *self)
{
  int status;
  pid_t pid;

  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    {
      if (pid != self->child)
        continue;
      self->child = 0;
      self->child_status = status;
    }
  self->has_children = pid == 0 || errno != ECHILD;
  if (!self->has_children)
    self->child = 0;
}

/* The supervisor inside waits for all that the program leaves behind. If it is killed, they come to
 * this process, which goes on holding the leases for them. */
static void
list_left (const PvOutside *self, PvChildren *left)
{
  left->count = 0;
  if (self->has_children && self->child == 0)
    pv_children_list (left, &self->before);
}

static bool
is_anything_left (const PvOutside *self)
{
  static PvChildren left;

  list_left (self, &left);
  return left.count > 0;
}

static void
signal_left (const PvOutside *self, int number)
{
  static PvChildren left;

  list_left (self, &left);
  for (size_t i = 0; i < left.count; i++)
    kill (left.pids[i], number);
}

static void
receive (PvOutside *self)
{
  PvMessage message;
  int result;

  while ((result = pv_message_receive (self->link, &message)) > 0)
    {
      if (message.kind == PV_MESSAGE_EXITED)
        self->status = message.value;
    }
  if (result < 0)
    {
      close (self->link);
      self->link = -1;
    }
}

/* What the terminal sent went to the whole process group: the program has it already. */
static void
handle_signal (PvOutside *self, int signals)
{
  struct signalfd_siginfo info;

  if (PV_RETRY (read (signals, &info, sizeof info)) != (long) sizeof info)
    return;
  if (info.ssi_signo == SIGCHLD)
    reap (self);
  else if (info.ssi_code == SI_KERNEL)
    return;
  else if (self->link >= 0)
    pv_message_send (self->link, PV_MESSAGE_SIGNAL, (int) info.ssi_signo);
  else
    signal_left (self, (int) info.ssi_signo);
}

static void
wait_for_end (PvOutside *self, int signals)
{
  reap (self);
  while (self->child != 0 || self->link >= 0 || is_anything_left (self))
    {
      struct pollfd fds[] = {
        { .fd = signals, .events = POLLIN },
        { .fd = self->link, .events = POLLIN },
      };

      /* Without a signalfd (too many files are open) there is still the clock. */
      if (poll (fds, 2, signals < 0 ? 100 : -1) < 0)
        {
          /* To give up would be to let go of the leases. */
          nanosleep (&(struct timespec) { .tv_nsec = 10000000 }, NULL);
          reap (self);
          continue;
        }
      if (signals < 0)
        reap (self);
      if (fds[1].revents != 0)
        receive (self);
      if (fds[0].revents != 0)
        handle_signal (self, signals);
    }
}

static int
get_status (const PvOutside *self)
{
  return self->status >= 0 ? self->status : pv_status_from_wait (self->child_status);
}

/**
 * pv_outside:
 *
 * Options: `--child=PID` bubblewrap, `--link=FD` the socket,
 * `--before=PID…` the children that this process had before bubblewrap, `--terminal=1` if the program
 * has the controlling terminal.  Further fds that were
 * inherited are leases, which are held by being open.  All signals are blocked.
 *
 * Returns: the exit status of the launcher
 */
int
pv_outside (int argc, char **argv)
{
  static PvOutside self = { .link = -1, .status = -1 };
  sigset_t watched;
  int signals;

  if (!parse (&self, argc, argv))
    {
      pv_complain ("Cannot supervise: invalid arguments");
      return PV_STATUS_LAUNCHER_FAILED;
    }

  pv_protocol_list_signals (&watched);
  sigaddset (&watched, SIGCHLD);
  signals = signalfd (-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  prctl (PR_SET_NAME, "pv-supervise");

  wait_for_end (&self, signals);
  if (self.terminal)
    pv_interactive_take_terminal_back ();
  return get_status (&self);
}
