/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets a signal, and what happens to what the program leaves behind: decisions without effects.
 *
 * The first SIGTERM is the program's, the second is for all that descends from it, the third kills.
 * Where there is a time limit, what is left when the program has ended is waited for, then asked to
 * end, then killed. */
#include "supervise/escalation.h"

#include "launch/protocol.h"

#include <stddef.h>

/* timeout(1) sends each signal twice, to its child and to its own process group. */
#define SAME_SIGNAL_MS 200

/* Until nothing is left: what is born while others are killed is killed in the next round. */
#define KILL_AGAIN_MS 20

static const PvAction nothing = { .reach = PV_REACH_NOBODY };

static bool
is_same_again (PvEscalation *self, int number, int64_t now)
{
  int64_t last = self->last[number];

  if (last != 0 && now - last < SAME_SIGNAL_MS)
    return true;
  self->last[number] = now;
  return false;
}

static PvAction
kill_all (PvEscalation *self, int64_t now)
{
  self->phase = PV_PHASE_KILL;
  self->deadline = now + KILL_AGAIN_MS;
  return (PvAction) { .reach = PV_REACH_ALL, .number = SIGKILL };
}

static PvAction
on_term (PvEscalation *self, int64_t now)
{
  self->n_terms++;
  if (self->n_terms == 1 && self->program_ended)
    self->n_terms++;
  if (self->n_terms > 2)
    return kill_all (self, now);
  return (PvAction) {
    .reach = self->n_terms == 1 ? PV_REACH_PROGRAM : PV_REACH_ALL,
    .number = SIGTERM,
  };
}

/**
 * pv_escalation_on_signal:
 * @number: the signal that came
 *
 * Of those that ask to end, what comes within 0.2 s of one of the same kind is the same.  Where the
 * program has ended they are for what it left, as is SIGCONT.
 *
 * Returns: what is to be done
 */
PvAction
pv_escalation_on_signal (PvEscalation *self, int number, int64_t now)
{
  if (pv_protocol_asks_to_end (number) && is_same_again (self, number, now))
    return nothing;
  if (number == SIGTERM)
    return on_term (self, now);
  if (!self->program_ended)
    return (PvAction) { .reach = PV_REACH_PROGRAM, .number = number };
  if (pv_protocol_asks_to_end (number) || number == SIGCONT)
    return (PvAction) { .reach = PV_REACH_ALL, .number = number };
  return nothing;
}

/**
 * pv_escalation_on_program_ended:
 *
 * From here on the clock runs for what is left.
 */
void
pv_escalation_on_program_ended (PvEscalation *self, int64_t now)
{
  self->program_ended = true;
  if (self->terminate_ms < 0 || self->phase != PV_PHASE_RUN)
    return;
  self->phase = PV_PHASE_IDLE;
  self->deadline = now + self->idle_ms;
}

/**
 * pv_escalation_on_time:
 *
 * Returns: what is to be done if a deadline has passed
 */
PvAction
pv_escalation_on_time (PvEscalation *self, int64_t now)
{
  if (self->deadline == 0 || now < self->deadline)
    return nothing;
  if (self->phase != PV_PHASE_IDLE || self->terminate_ms == 0)
    return kill_all (self, now);

  self->phase = PV_PHASE_TERMINATE;
  self->deadline = now + self->terminate_ms;
  return (PvAction) { .reach = PV_REACH_ALL, .number = SIGTERM };
}

/**
 * pv_escalation_get_timeout:
 *
 * Returns: for poll(2): milliseconds, or -1
 */
int
pv_escalation_get_timeout (const PvEscalation *self, int64_t now)
{
  if (self->deadline == 0)
    return -1;
  return self->deadline > now ? (int) (self->deadline - now) : 0;
}
