/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "options.h"
#include "report.h"
#include "runtime/runtime.h"

GPtrArray *pv_leases_new (void);
PvRuntime *pv_lease_runtime (const PvOptions *options, const PvReport *report, char **environment,
                             gboolean lock, GPtrArray *leases, GError **error);
