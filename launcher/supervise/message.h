/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Not every libc has TEMP_FAILURE_RETRY. */
#define PV_RETRY(call)                                                                             \
  ({                                                                                               \
    long pv_result;                                                                                \
    do                                                                                             \
      pv_result = (long) (call);                                                                   \
    while (pv_result < 0 && errno == EINTR);                                                       \
    pv_result;                                                                                     \
  })

/* As env(1) has them. */
#define PV_STATUS_LAUNCHER_FAILED 125
#define PV_STATUS_NOT_EXECUTABLE 126
#define PV_STATUS_NOT_FOUND 127
#define PV_STATUS_SIGNAL_BASE 128

/**
 * PvMessageKind: what the two supervisors tell each other.
 * @PV_MESSAGE_STARTED: from inside: the program runs
 * @PV_MESSAGE_FAILED: from inside: it does not, the reason has been said, `value` is the status
 * @PV_MESSAGE_EXITED: from inside: it has ended, `value` is the status
 * @PV_MESSAGE_SIGNAL: from outside: pass signal `value` on to the program
 */
typedef enum
{
  PV_MESSAGE_STARTED,
  PV_MESSAGE_FAILED,
  PV_MESSAGE_EXITED,
  PV_MESSAGE_SIGNAL,
} PvMessageKind;

typedef struct
{
  uint32_t kind;
  int32_t value;
} PvMessage;

bool pv_message_send (int link, PvMessageKind kind, int value);
int pv_message_receive (int link, PvMessage *ret_message);
int pv_status_from_wait (int wait_status);
void pv_forwarded_signals (sigset_t *set);
int pv_parse_fd (const char *text);
const char *pv_option_value (const char *argument, const char *name);
void pv_complain (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
