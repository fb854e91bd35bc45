/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan/plan.h"

/**
 * PvShare: a path of the host that appears in the container, or a home that takes its place.
 * @dest: (type filename): where it appears; borrowed
 * @path: (nullable): what appears; borrowed; %NULL: an empty folder that is gone afterwards
 * @way: (nullable): the path whose links lead to @dest; borrowed
 * @read_only: whether nothing can be written there
 * @requested: it was asked for by name
 * @covered: a parent shares it already: it needs no mount of its own
 * @reason: a literal
 */
typedef struct
{
  const char *dest;
  const PvHostPath *path;
  const PvHostPath *way;
  gboolean read_only;
  gboolean requested;
  gboolean covered;
  const char *reason;
} PvShare;

gboolean pv_shares_check (const GPtrArray *requests, GError **error);
gboolean pv_shares_check_home (PvHomeKind kind, const PvHost *host, const GPtrArray *requests,
                               GError **error);
GPtrArray *pv_shares_plan (const PvPlanInput *input, GPtrArray *notices, GError **error);
gboolean pv_shares_reach_into (const GPtrArray *shares, const char *folder);
gboolean pv_shares_cover (const GPtrArray *shares, const char *path);
void pv_shares_mount (GPtrArray *mounts, const GPtrArray *shares);
