/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * PvResolve: how far a path may lead.
 * @PV_RESOLVE_ANYWHERE: as open(2)
 * @PV_RESOLVE_BENEATH: links are followed, but nothing may lead out of the folder
 * @PV_RESOLVE_IN_ROOT: the folder is the root: absolute links and `..` stay inside it
 * @PV_RESOLVE_NO_LINKS: no component may be a symbolic link
 * @PV_RESOLVE_NO_MOUNTS: the same, and none may lead to another mount
 */
typedef enum
{
  PV_RESOLVE_ANYWHERE,
  PV_RESOLVE_BENEATH,
  PV_RESOLVE_IN_ROOT,
  PV_RESOLVE_NO_LINKS,
  PV_RESOLVE_NO_MOUNTS,
} PvResolve;

int pv_openat2 (int dir_fd, const char *path, int flags, mode_t mode, PvResolve resolve);
gboolean pv_exists_in_root (int root_fd, const char *path);
