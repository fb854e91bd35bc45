/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"
#include "options.h"
#include "launch/launch.h"
#include "report.h"
#include "runtime/contents.h"
#include "runtime/runtime.h"

gboolean pv_step_check (const PvOptions *options, const PvHost *host, PvHostPath **ret_home,
                        char **ret_bwrap, int *ret_terminal, GError **error);
PvPlan *pv_step_plan (const PvOptions *options, const PvHost *host, const PvRuntime *runtime,
                      const PvRuntimeContents *contents, const PvSysroot *sysroot,
                      const PvHostPath *home, GError **error);
gboolean pv_step_start (const PvOptions *options, const PvReport *report, const PvHost *host,
                        const char *bwrap, const PvPlan *plan, const PvOverlay *overlay,
                        GPtrArray *leases, int terminal, int *ret_status,
                        GError **error);
