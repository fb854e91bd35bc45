/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "options.h"

gboolean pv_pipeline_run (const PvOptions *options, char **environment, int *ret_status,
                          GError **error);
