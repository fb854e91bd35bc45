/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan/plan.h"

/**
 * PvPlanOption: an option, its value, and where the value came from; for printing.
 */
typedef struct
{
  char *name;
  char *value;
  char *source;
} PvPlanOption;

/**
 * PvPlanReport: what --dry-run tells.  Everything is borrowed.
 * @runtime: what was found
 * @options: (element-type PvPlanOption): all options
 * @plan: the plan
 * @program: (array zero-terminated=1): the program and its arguments
 */
typedef struct
{
  const PvRuntime *runtime;
  GPtrArray *options;
  const PvPlan *plan;
  char **program;
} PvPlanReport;

char *pv_plan_to_text (const PvPlanReport *report);
char *pv_plan_to_json (const PvPlanReport *report);
