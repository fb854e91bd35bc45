/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy/copy.h"
#include "options.h"
#include "report.h"
#include "plan/plan.h"

PvCopy *pv_sysroot_make_copy (const PvOptions *options, const PvReport *report, char **environment,
                              const PvRuntime *runtime, PvCopyStrategy first, GPtrArray *leases,
                              GError **error);
PvSysroot pv_sysroot_describe (const PvOptions *options, const PvRuntime *runtime,
                               const PvCopy *copy);
