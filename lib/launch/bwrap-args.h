/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "plan/plan.h"

/**
 * PvBwrapSources: how the sources of binds are named, and how much bubblewrap does.
 * @PV_BWRAP_BY_FD: through the open folders, which nobody can replace; only mounts: the supervisor
 *  inside makes links, folders and files, faster
 * @PV_BWRAP_BY_PATH: as paths, and all of the plan, for a command that somebody else can run
 */
typedef enum
{
  PV_BWRAP_BY_FD,
  PV_BWRAP_BY_PATH,
} PvBwrapSources;

GPtrArray *pv_bwrap_list_files (const PvPlan *plan);
GPtrArray *pv_bwrap_args (const PvPlan *plan, PvBwrapSources sources, const int *file_fds);
