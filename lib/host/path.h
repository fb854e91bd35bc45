/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvHostLink: a symbolic link on the way to a path.
 * @path: (type filename): where the link is, without links in front of it
 * @target: (type filename): its text
 */
typedef struct
{
  char *path;
  char *target;
} PvHostLink;

/**
 * PvHostPath: a path of the host, resolved once.  Immutable.
 * @asked: (type filename): as it was asked for, absolute
 * @real: (type filename): the same without symbolic links, `.`, `..` and double slashes
 * @links: (element-type PvHostLink): the links that were followed, in their order
 * @fd: `O_PATH`, close-on-exec; what is mounted is this, whatever happens to the path
 */
typedef struct
{
  char *asked;
  char *real;
  GPtrArray *links;
  int fd;
} PvHostPath;

PvHostPath *pv_host_path_open (const char *path, GError **error);
void pv_host_path_free (PvHostPath *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvHostPath, pv_host_path_free)
