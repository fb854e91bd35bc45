/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvEntry: one name in a folder.  Immutable.
 * @name: (type filename): without a slash
 * @target: (type filename) (nullable): where it leads, if it is a symbolic link
 * @is_dir: it is a folder itself (not a link to one)
 */
typedef struct
{
  char *name;
  char *target;
  gboolean is_dir;
} PvEntry;

GPtrArray *pv_dir_list (int dir_fd, GError **error);
char *pv_dir_read_link (int dir_fd, const char *name);
