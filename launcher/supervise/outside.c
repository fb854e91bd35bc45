/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Outside the container: pv-launch has become this program when the program ran.  Waits for the
 * supervisor inside, takes its place if it is killed, passes signals on, returns the program's
 * status. */
#include "supervise/outside.h"
#include "supervise/message.h"
#include "supervise/removal.h"
#include "supervise/report.h"
#include "supervise/supervision.h"
#include "supervise/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/**
 * PvOutside:
 * @supervision: what is done by whoever is the program's parent
 * @bwrap: bubblewrap, which has nothing left to do
 * @link: the socket to the supervisor inside; -1 once that one has gone
 * @unsent: signals that the one inside has no room for yet
 * @parent: a pidfd of this process's parent, with whom the container is to end; or -1
 * @copy: the mutable copy that is removed at the end, or NULL
 * @parent_of_copy: the folder in which it is
 * @remove_detached: whether nobody waits for that
 * @terminal: whether the program has the controlling terminal
 * @report: where the status is written
 * @reported: whether it has been
 */
typedef struct
{
  PvSupervision supervision;
  pid_t bwrap;
  int link;
  sigset_t unsent;
  int parent;
  const char *copy;
  int parent_of_copy;
  bool remove_detached;
  bool terminal;
  PvExitReport report;
  bool reported;
} PvOutside;

static bool
parse_option (PvOutside *self, const char *option)
{
  const char *value;

  if ((value = pv_option_value (option, "--bwrap=")) != NULL)
    self->bwrap = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--inside=")) != NULL)
    self->supervision.inside = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--program=")) != NULL)
    self->supervision.program = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--link=")) != NULL)
    self->link = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--before=")) != NULL)
    pv_pids_parse (&self->supervision.before, value);
  else if ((value = pv_option_value (option, "--parent=")) != NULL)
    self->parent = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--status=")) != NULL)
    self->report.fd = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--began=")) != NULL)
    self->report.began = strtoll (value, NULL, 10);
  else if ((value = pv_option_value (option, "--parent-of-copy=")) != NULL)
    self->parent_of_copy = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--copy=")) != NULL)
    self->copy = value;
  else if (strcmp (option, "--remove-detached") == 0)
    self->remove_detached = true;
  else if (strcmp (option, "--wrapped") == 0)
    self->supervision.wrapped = true;
  else if (strcmp (option, "--terminal") == 0)
    self->terminal = true;
  else
    return pv_supervision_parse_timeout (&self->supervision, option);
  return true;
}

static bool
parse (PvOutside *self, int argc, char **argv)
{
  for (int i = 2; i < argc && strcmp (argv[i], "--") != 0; i++)
    {
      if (!parse_option (self, argv[i]))
        return false;
    }
  return self->bwrap > 0 && self->link >= 0;
}

/* Bubblewrap would only wait as this process does: without it there is a process less, the end is
 * seen sooner, and the supervisor inside is a child of this process.  It has been killed already. */
static void
reap_bwrap (PvOutside *self)
{
  int status = 0;

  kill (self->bwrap, SIGKILL);
  PV_RETRY (waitpid (self->bwrap, &status, 0));
  /* It has seen the end of the supervisor inside, and has its status. */
  if (WIFEXITED (status))
    {
      self->supervision.inside = 0;
      self->supervision.inside_status = status;
    }
}

/* The supervisor inside waits for all that the program leaves.  If it is killed, they come to this
 * process, which goes on holding the leases for them. */
static bool
is_anything_left (PvOutside *self)
{
  PvSupervision *supervision = &self->supervision;

  if (!supervision->has_children || !supervision->before.were_any)
    return supervision->has_children;
  if (pv_processes_has_children (&supervision->before))
    return true;
  /* Who has just ended has not been waited for, and what it left may have been overlooked. */
  pv_supervision_reap (supervision);
  return pv_processes_has_children (&supervision->before);
}

static void
report (PvOutside *self, int status)
{
  if (!self->reported)
    pv_report_exited (&self->report, status);
  self->reported = true;
}

static void
lose_link (PvOutside *self)
{
  close (self->link);
  self->link = -1;
  pv_supervision_take_over (&self->supervision);
}

static void
receive (PvOutside *self)
{
  PvMessage message;
  int result;

  while ((result = pv_message_receive (self->link, &message)) > 0)
    {
      if (message.kind == PV_MESSAGE_EXITED)
        pv_supervision_set_status (&self->supervision, message.value);
    }
  if (result < 0)
    lose_link (self);
}

/* Returns: false if it must be tried again: the one inside does not read */
static bool
send_inside (PvOutside *self, int number)
{
  if (pv_message_send (self->link, PV_MESSAGE_SIGNAL, number))
    return true;
  if (errno == EAGAIN)
    return false;
  receive (self);
  if (self->link < 0)
    pv_supervision_signal (&self->supervision, number);
  return true;
}

static void
pass_on (PvOutside *self, int number)
{
  if (self->link < 0)
    {
      pv_supervision_signal (&self->supervision, number);
      return;
    }
  pv_supervision_count (&self->supervision, number);
  if (!send_inside (self, number))
    sigaddset (&self->unsent, number);
  /* Who is stopped passes nothing on. */
  if (number == SIGCONT && self->supervision.inside > 0)
    kill (self->supervision.inside, SIGCONT);
}

static bool
has_unsent (const PvOutside *self)
{
  for (int number = 1; number < _NSIG; number++)
    {
      if (sigismember (&self->unsent, number) == 1)
        return true;
    }
  return false;
}

static void
send_unsent (PvOutside *self)
{
  for (int number = 1; number < _NSIG; number++)
    {
      if (sigismember (&self->unsent, number) != 1)
        continue;
      if (self->link >= 0 && !send_inside (self, number))
        return;
      sigdelset (&self->unsent, number);
    }
}

static void
handle_parent_gone (PvOutside *self)
{
  close (self->parent);
  self->parent = -1;
  pass_on (self, SIGTERM);
}

static void
wait_for_change (PvOutside *self)
{
  PvSupervision *supervision = &self->supervision;
  struct pollfd fds[] = {
    { .fd = supervision->signals, .events = POLLIN },
    { .fd = self->link, .events = (short) (POLLIN | (has_unsent (self) ? POLLOUT : 0)) },
    { .fd = self->parent, .events = POLLIN },
  };
  int number;

  if (!pv_supervision_poll (supervision, fds, 3, self->link < 0))
    return;
  if (fds[1].revents != 0)
    receive (self);
  send_unsent (self);
  while (pv_supervision_next_signal (supervision, &number))
    {
      if (number != 0)
        pass_on (self, number);
    }
  if (fds[2].revents != 0)
    handle_parent_gone (self);
  if (self->link < 0)
    pv_supervision_tick (supervision);
}

static void
wait_for_end (PvOutside *self)
{
  PvSupervision *supervision = &self->supervision;

  pv_supervision_reap (supervision);
  while (self->link >= 0 || is_anything_left (self))
    {
      wait_for_change (self);
      if (supervision->status >= 0)
        report (self, supervision->status);
    }
}

static int
get_status (const PvOutside *self)
{
  if (self->supervision.status >= 0)
    return self->supervision.status;
  return pv_status_from_wait (self->supervision.inside_status);
}

/**
 * pv_outside:
 *
 * Options: `--bwrap=PID` bubblewrap, `--inside=PID` the supervisor inside, `--program=PID`,
 * `--link=FD` the socket, `--before=PID…` the children that this process had before bubblewrap,
 * `--terminate-timeout=MS`, `--terminate-idle-timeout=MS`, `--parent=FD` a pidfd with whose end the
 * container is to end, `--status=FD` and `--began=NS` for the report, `--copy=NAME`,
 * `--parent-of-copy=FD` and `--remove-detached`, see pv_removal_run(), `--wrapped`: the program is a shell that waits for
 * another one, `--terminal`: the program has the controlling terminal.  Further fds that were
 * inherited are leases, which are held by being open.  All signals that are passed on are blocked,
 * and so is SIGCHLD.
 *
 * Returns: the exit status of the launcher
 */
int
pv_outside (int argc, char **argv)
{
  static PvOutside self = {
    .supervision = { .status = -1, .escalation = { .terminate_ms = -1 } },
    .link = -1,
    .parent = -1,
    .report = { .fd = -1 },
  };
  sigset_t watched;

  if (!parse (&self, argc, argv))
    {
      pv_complain ("Cannot supervise: invalid arguments");
      return PV_STATUS_LAUNCHER_FAILED;
    }

  pv_protocol_list_signals (&watched);
  sigaddset (&watched, SIGCHLD);
  pv_supervision_watch (&self.supervision, &watched);
  prctl (PR_SET_NAME, "pv-supervise");
  reap_bwrap (&self);

  wait_for_end (&self);
  report (&self, get_status (&self));
  if (self.terminal)
    pv_terminal_take_back ();
  if (self.copy != NULL)
    pv_removal_run (self.parent_of_copy, self.copy, self.remove_detached);
  return get_status (&self);
}
