/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan/plan.h"

/**
 * PvShare: a path of the host that appears at the same place.  Borrows @path.
 * @covered: a parent shares it in the same way: it needs no mount of its own
 */
typedef struct
{
  const PvHostPath *path;
  gboolean read_only;
  const char *reason;
  gboolean covered;
} PvShare;

gboolean pv_shares_check (const GPtrArray *requests, GError **error);
GPtrArray *pv_shares_plan (const PvPlanInput *input, GPtrArray *notices, GError **error);
gboolean pv_shares_reach_into (const GPtrArray *shares, const char *folder);
gboolean pv_shares_cover (const GPtrArray *shares, const char *path);
void pv_shares_mount (GPtrArray *mounts, const GPtrArray *shares);
void pv_shares_repeat_links (GPtrArray *mounts, const GPtrArray *shares, const PvHostPath *path);
