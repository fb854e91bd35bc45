/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "plan/plan.h"

char *pv_shell_command (const PvPlan *plan, const char *bwrap, char **environment, char **program,
                        gboolean on_tty);
