/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What both supervisors do.  The one inside does it as long as it lives; if it is killed, the one
 * outside, to which its children come, goes on. */
#include "supervise/supervision.h"
#include "supervise/message.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* For poll(2), where there is no signalfd: too many files are open. */
#define BLIND_MS 100

/* Milliseconds. */
static int64_t
get_now (void)
{
  return pv_protocol_now () / 1000000;
}

static int
get_timeout (const PvSupervision *self, bool limited)
{
  int timeout = limited ? pv_escalation_get_timeout (&self->escalation, get_now ()) : -1;

  if (self->signals < 0 && (timeout < 0 || timeout > BLIND_MS))
    return BLIND_MS;
  return timeout;
}

/**
 * pv_supervision_poll:
 * @fds, @n_fds: for poll(2)
 * @limited: whether it is this process that keeps the time limits
 *
 * Returns: false if it failed.  To give up then would be to let go of the leases; so there is a
 *  pause, and what has ended is waited for.
 */
bool
pv_supervision_poll (PvSupervision *self, struct pollfd *fds, nfds_t n_fds, bool limited)
{
  if (poll (fds, n_fds, get_timeout (self, limited)) >= 0)
    return true;
  nanosleep (&(struct timespec) { .tv_nsec = 10000000 }, NULL);
  pv_supervision_reap (self);
  return false;
}

/* What the terminal sent went to its whole foreground group, so the program has it already.  Only
 * that the terminal has gone is told to nobody but the leader of the session: tty_ioctl(4). */
static bool
has_been_sent_to_all (int number, int code)
{
  return code == SI_KERNEL && !(number == SIGHUP && getsid (0) == getpid ());
}

/* Returns: whether there was a signal */
static bool
take_signal (const PvSupervision *self, int *ret_number, int *ret_code)
{
  struct signalfd_siginfo info;
  siginfo_t same;

  if (self->signals < 0)
    {
      *ret_number = sigtimedwait (&self->watched, &same, &(struct timespec) { 0 });
      *ret_code = same.si_code;
      return *ret_number > 0;
    }
  if (PV_RETRY (read (self->signals, &info, sizeof info)) != (long) sizeof info)
    return false;
  *ret_number = (int) info.ssi_signo;
  *ret_code = info.ssi_code;
  return true;
}

/**
 * pv_supervision_watch:
 * @watched: signals that are blocked; with SIGCHLD
 */
void
pv_supervision_watch (PvSupervision *self, const sigset_t *watched)
{
  self->watched = *watched;
  self->signals = signalfd (-1, watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

/**
 * pv_supervision_next_signal:
 * @ret_number: (out): what is to be passed on; 0: nothing
 *
 * Takes one signal.  SIGCHLD is dealt with.
 *
 * Returns: false if there is none
 */
bool
pv_supervision_next_signal (PvSupervision *self, int *ret_number)
{
  int number, code;

  *ret_number = 0;
  if (!take_signal (self, &number, &code))
    return false;
  if (number == SIGCHLD)
    pv_supervision_reap (self);
  else if (!has_been_sent_to_all (number, code))
    *ret_number = number;
  return true;
}

/**
 * pv_supervision_reap:
 *
 * All that has ended is waited for.  A supervisor inside that somebody has stopped goes on: nobody
 * else would see to that.
 */
void
pv_supervision_reap (PvSupervision *self)
{
  int status;
  pid_t pid;

  while ((pid = waitpid (-1, &status, WNOHANG | WUNTRACED)) > 0)
    {
      if (WIFSTOPPED (status))
        {
          if (pid == self->inside)
            kill (pid, SIGCONT);
          continue;
        }
      pv_pids_remove (&self->before, pid);
      if (pid == self->program)
        pv_supervision_set_status (self, pv_status_from_wait (status));
      if (pid != self->inside)
        continue;
      self->inside = 0;
      self->inside_status = status;
    }
  self->has_children = pid == 0 || errno != ECHILD;
}

/**
 * pv_supervision_take_over:
 *
 * The supervisor inside has gone, or is about to: its children come to this process, unless they
 * have ended and it has waited for them.
 */
void
pv_supervision_take_over (PvSupervision *self)
{
  siginfo_t info;

  if (self->inside > 0)
    PV_RETRY (waitpid (self->inside, &self->inside_status, 0));
  self->inside = 0;
  if (self->program == 0
      || waitid (P_PID, (id_t) self->program, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
    return;
  /* Its pid may be another's by now. */
  self->program = 0;
  pv_escalation_on_program_ended (&self->escalation, get_now ());
}

/**
 * pv_supervision_set_status:
 *
 * The program has ended.
 */
void
pv_supervision_set_status (PvSupervision *self, int status)
{
  self->program = 0;
  self->status = status;
  pv_escalation_on_program_ended (&self->escalation, get_now ());
}

static void
reach_all (const PvSupervision *self, int number)
{
  /* The first process of a PID namespace reaches all others at once. */
  if (number == SIGKILL && getpid () == 1)
    kill (-1, SIGKILL);
  else
    pv_processes_signal_descendants (&self->before, number);
  if (number == SIGTERM)
    pv_processes_signal_descendants (&self->before, SIGCONT);
}

static void
reach_program (const PvSupervision *self, int number)
{
  if (self->program > 0 && self->wrapped)
    pv_processes_signal_with_children (self->program, number);
  else if (self->program > 0)
    kill (self->program, number);
}

static void
perform (const PvSupervision *self, PvAction action)
{
  switch (action.reach)
    {
    case PV_REACH_ALL:
      reach_all (self, action.number);
      break;
    case PV_REACH_PROGRAM:
      reach_program (self, action.number);
      break;
    case PV_REACH_NOBODY:
    default:
      break;
    }
}

/**
 * pv_supervision_count:
 * @number: a signal that the supervisor inside deals with
 *
 * For the case that this one has to go on.
 */
void
pv_supervision_count (PvSupervision *self, int number)
{
  pv_escalation_on_signal (&self->escalation, number, get_now ());
}

/**
 * pv_supervision_signal:
 * @number: a signal that was sent to the launcher
 */
void
pv_supervision_signal (PvSupervision *self, int number)
{
  perform (self, pv_escalation_on_signal (&self->escalation, number, get_now ()));
}

/**
 * pv_supervision_tick:
 *
 * Does what the time limits ask for.
 */
void
pv_supervision_tick (PvSupervision *self)
{
  perform (self, pv_escalation_on_time (&self->escalation, get_now ()));
}

/**
 * pv_supervision_parse_timeout:
 * @option: `--terminate-timeout=MS` or `--terminate-idle-timeout=MS`
 *
 * Returns: whether it is one of them
 */
bool
pv_supervision_parse_timeout (PvSupervision *self, const char *option)
{
  const char *value;

  if ((value = pv_option_value (option, "--terminate-timeout=")) != NULL)
    self->escalation.terminate_ms = atoi (value);
  else if ((value = pv_option_value (option, "--terminate-idle-timeout=")) != NULL)
    self->escalation.idle_ms = atoi (value);
  else
    return false;
  return true;
}
