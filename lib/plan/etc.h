/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan/plan.h"

void pv_etc_mount (GPtrArray *mounts, const PvPlanInput *input, const GPtrArray *shares);
