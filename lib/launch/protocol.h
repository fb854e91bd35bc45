/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the launcher and the two supervisors tell each other.  The supervisors include this as well,
 * and have nothing but libc. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/**
 * PvMessageKind:
 * @PV_MESSAGE_STARTING: from the process that becomes the program; who it is say the credentials
 * @PV_MESSAGE_STARTED: from inside: the program runs
 * @PV_MESSAGE_REPLACED: from inside: what was mounted is not what was meant; `value` is which of the
 *  expectations failed
 * @PV_MESSAGE_FAILED: from inside: the program does not run, the reason has been said, `value` is
 *  the status
 * @PV_MESSAGE_EXITED: from inside: it has ended, `value` is the status
 * @PV_MESSAGE_SIGNAL: from outside: signal `value` was sent to the launcher
 */
typedef enum
{
  PV_MESSAGE_STARTING,
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

/* How each line of --status-fd begins: the event, and how long after the launch began, in seconds. */
#define PV_PROTOCOL_EVENT_FORMAT "{\"event\":\"%s\",\"elapsed\":%lld.%06lld"
#define PV_PROTOCOL_EVENT_TIME(ns)                                                                 \
  (long long) ((ns) / 1000000000), (long long) ((ns) / 1000 % 1000000)

/* How long to wait for somebody who has let the pipe of --status-fd run full. */
#define PV_PROTOCOL_REPORT_WAIT_MS 100

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline int64_t
pv_protocol_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* As a shell has it. */
#define PV_STATUS_SIGNAL_BASE 128

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

static inline bool
pv_protocol_asks_to_end (int number)
{
  return number == SIGHUP || number == SIGINT || number == SIGQUIT || number == SIGTERM;
}

/* Whether a signal that comes before the program runs ends the launch: the program would not have
 * ignored it. */
static inline bool
pv_protocol_ends_start (int number)
{
  struct sigaction action;

  return pv_protocol_asks_to_end (number) && sigaction (number, NULL, &action) == 0
         && action.sa_handler != SIG_IGN;
}
