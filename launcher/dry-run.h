/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "options.h"
#include "runtime/runtime.h"

gboolean pv_dry_run_print (const PvOptions *options, const PvHost *host, const PvRuntime *runtime,
                           const PvPlan *plan, GError **error);
