/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "plan/mount.h"

/**
 * PvVisibility: what is at a path in the container.
 * @mount: (nullable): what it lies in, borrowed; %NULL: the container's own root
 * @links: (element-type PvMount): the links that lead there, borrowed
 * @path: (type filename): where they lead to
 * @host_path: (type filename) (nullable): what of the host is seen there; %NULL: nothing, it is the
 *  container's own or is not there
 */
typedef struct
{
  const PvMount *mount;
  GPtrArray *links;
  char *path;
  char *host_path;
} PvVisibility;

PvVisibility *pv_visibility_find (const GPtrArray *mounts, const char *path);
GPtrArray *pv_visibility_list_places (const GPtrArray *mounts, const char *host_path);
void pv_visibility_free (PvVisibility *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvVisibility, pv_visibility_free)
