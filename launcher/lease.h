/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lock/lock.h"
#include "options.h"
#include "report.h"
#include "runtime/runtime.h"

/**
 * PvWaiting: a launch that may have to wait.
 * @options, @report: borrowed
 */
typedef struct
{
  const PvOptions *options;
  const PvReport *report;
} PvWaiting;

int pv_lease_find_holder (const char *path);
GPtrArray *pv_leases_new (void);
PvLockWait pv_lease_wait (const PvWaiting *waiting);
PvRuntime *pv_lease_runtime (const PvOptions *options, const PvReport *report, char **environment,
                             gboolean lock, GPtrArray *leases, GError **error);
