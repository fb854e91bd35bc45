/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy-search.h"
#include "copy/copy.h"
#include "options.h"
#include "plan/plan.h"
#include "report.h"

gboolean pv_sysroot_find (const PvOptions *options, const PvReport *report, char **environment,
                          PvRuntime **runtime, PvCopySearch *search, GPtrArray *leases,
                          PvCopy **ret_copy, GError **error);
PvSysroot pv_sysroot_describe (const PvOptions *options, const PvRuntime *runtime,
                               const PvCopy *copy);
