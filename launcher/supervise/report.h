/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/**
 * PvExitReport: where --status-fd leads.
 * @fd: or -1
 * @began: when the launch did: nanoseconds of CLOCK_MONOTONIC
 */
typedef struct
{
  int fd;
  int64_t began;
} PvExitReport;

void pv_report_exited (const PvExitReport *self, int status);
