/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * PvReach: whom a signal is for.
 */
typedef enum
{
  PV_REACH_NOBODY,
  PV_REACH_PROGRAM,
  PV_REACH_ALL,
} PvReach;

/**
 * PvAction: what is to be done.
 * @number: the signal; to all: SIGTERM is followed by SIGCONT, so that what is stopped sees it
 */
typedef struct
{
  PvReach reach;
  int number;
} PvAction;

/**
 * PvPhase: how far things have gone.
 */
typedef enum
{
  PV_PHASE_RUN,
  PV_PHASE_IDLE,
  PV_PHASE_TERMINATE,
  PV_PHASE_KILL,
} PvPhase;

/**
 * PvEscalation: times are milliseconds of any clock that does not go back.
 * @idle_ms: how long what the program leaves may stay
 * @terminate_ms: how long after it was asked to end; negative: it is not asked
 * @program_ended: whether the program has
 * @phase: see there
 * @n_terms: how many SIGTERM counted
 * @last: when the last one of each kind counted; 0: never
 * @deadline: when the next phase begins; 0: never
 */
typedef struct
{
  int64_t idle_ms;
  int64_t terminate_ms;
  bool program_ended;
  PvPhase phase;
  int n_terms;
  int64_t last[_NSIG];
  int64_t deadline;
} PvEscalation;

PvAction pv_escalation_on_signal (PvEscalation *self, int number, int64_t now);
void pv_escalation_on_program_ended (PvEscalation *self, int64_t now);
PvAction pv_escalation_on_time (PvEscalation *self, int64_t now);
int pv_escalation_get_timeout (const PvEscalation *self, int64_t now);
