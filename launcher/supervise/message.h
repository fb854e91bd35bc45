/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "launch/protocol.h"

#include <errno.h>
#include <stdbool.h>

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

bool pv_message_send (int link, PvMessageKind kind, int value);
int pv_message_receive (int link, PvMessage *ret_message);
int pv_status_from_wait (int wait_status);
int pv_parse_fd (const char *text);
const char *pv_option_value (const char *argument, const char *name);
void pv_complain (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
