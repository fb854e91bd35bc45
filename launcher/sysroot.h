/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy/copy.h"
#include "launch/launch.h"
#include "options.h"
#include "plan/plan.h"

gboolean pv_sysroot_make_copy (const PvOptions *options, char **environment,
                               const PvRuntime *runtime, GPtrArray *leases, PvCopy **ret_copy,
                               GError **error);
PvSysroot pv_sysroot_describe (const PvOptions *options, const PvRuntime *runtime,
                               const PvCopy *copy);
