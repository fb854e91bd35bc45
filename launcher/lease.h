/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lock/lock.h"
#include "options.h"
#include "report.h"
#include "runtime/runtime.h"

/**
 * PvLeaseWaiting: what is said when a launch has to wait.  Everything is borrowed.
 * @options: how long it waits
 * @report: whom to tell
 */
typedef struct
{
  const PvOptions *options;
  const PvReport *report;
} PvLeaseWaiting;

PvLockWait pv_lease_get_wait (const PvLeaseWaiting *waiting);
GPtrArray *pv_leases_new (void);
PvRuntime *pv_lease_runtime (const PvOptions *options, const PvReport *report, char **environment,
                             gboolean lock, GPtrArray *leases, GError **error);
