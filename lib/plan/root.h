/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan/plan.h"

void pv_root_mount (GPtrArray *mounts, const PvPlanInput *input, const GPtrArray *shares);
gboolean pv_root_has_own_etc (const PvPlanInput *input);
const char *pv_root_get_whole (const PvRuntime *runtime);
