/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "supervise/escalation.h"
#include "supervise/processes.h"

#include <poll.h>

/**
 * PvSupervision: what both supervisors do: wait for the program and all that it leaves.
 * @program: its pid; 0: it has ended, or there is none
 * @wrapped: it is a shell that waits for what the user asked for, and passes no signals on
 * @status: its exit status; -1: not known
 * @inside: the supervisor inside, for the one outside; 0: it has ended, or this is it
 * @inside_status: of @inside, as waitpid(2) gave it
 * @has_children: whether this process has any
 * @before: children that are neither waited for nor signalled
 * @escalation: who gets a signal
 * @watched: the signals that matter, which are blocked
 * @signals: a signalfd for them; -1: too many files are open, they are asked for now and then
 */
typedef struct
{
  pid_t program;
  bool wrapped;
  int status;
  pid_t inside;
  int inside_status;
  bool has_children;
  PvPids before;
  PvEscalation escalation;
  sigset_t watched;
  int signals;
} PvSupervision;

void pv_supervision_watch (PvSupervision *self, const sigset_t *watched);
bool pv_supervision_poll (PvSupervision *self, struct pollfd *fds, nfds_t n_fds, bool limited);
bool pv_supervision_next_signal (PvSupervision *self, int *ret_number);
void pv_supervision_reap (PvSupervision *self);
void pv_supervision_take_over (PvSupervision *self);
void pv_supervision_set_status (PvSupervision *self, int status);
void pv_supervision_count (PvSupervision *self, int number);
void pv_supervision_signal (PvSupervision *self, int number);
void pv_supervision_tick (PvSupervision *self);
bool pv_supervision_parse_timeout (PvSupervision *self, const char *option);
