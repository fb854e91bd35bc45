/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "options.h"
#include "report.h"

gboolean pv_pipeline_run (const PvOptions *options, const PvReport *report, char **environment,
                          int *ret_status, GError **error);
