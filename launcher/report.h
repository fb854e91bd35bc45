/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "copy/copy.h"
#include "runtime/runtime.h"

/**
 * PvReport: where --status-fd leads.
 * @fd: or -1: nobody wants to know
 * @began: when the launch did: nanoseconds of CLOCK_MONOTONIC
 */
typedef struct
{
  int fd;
  gint64 began;
} PvReport;

void pv_report_resolved (const PvReport *self, const PvRuntime *runtime);
void pv_report_waiting (const PvReport *self, const char *path, int holder);
void pv_report_locked (const PvReport *self, const GPtrArray *locks);
void pv_report_copied (const PvReport *self, const PvCopy *copy, const GPtrArray *skipped);
void pv_report_deployed (const PvReport *self, const char *manifest, double seconds);
void pv_report_started (const PvReport *self, int pid);
void pv_report_failed (const PvReport *self, int status, const GError *error);
