/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the launcher and the two supervisors tell each other.  The supervisors include this as well,
 * and have nothing but libc. */
#pragma once

#include <signal.h>
#include <stdint.h>

/**
 * PvMessageKind:
 * @PV_MESSAGE_STARTED: from inside: the program runs
 * @PV_MESSAGE_REPLACED: from inside: what was mounted is not what was meant; `value` is which of the
 *  expectations failed
 * @PV_MESSAGE_FAILED: from inside: the program does not run, the reason has been said, `value` is
 *  the status
 * @PV_MESSAGE_EXITED: from inside: it has ended, `value` is the status
 * @PV_MESSAGE_SIGNAL: from outside: pass signal `value` on to the program
 */
typedef enum
{
  PV_MESSAGE_STARTED,
  PV_MESSAGE_REPLACED,
  PV_MESSAGE_FAILED,
  PV_MESSAGE_EXITED,
  PV_MESSAGE_SIGNAL,
} PvMessageKind;

/**
 * PvMessage: one datagram on the socket between them.
 */
typedef struct
{
  uint32_t kind;
  int32_t value;
} PvMessage;

/* The signals that are passed on to the program. */
static inline void
pv_protocol_list_signals (sigset_t *set)
{
  static const int numbers[]
    = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };

  sigemptyset (set);
  for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    sigaddset (set, numbers[i]);
}
