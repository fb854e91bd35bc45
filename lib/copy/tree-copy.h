/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "copy/unreadable.h"

/**
 * PvTreeCopyKind: how the files of a tree are copied.
 * @PV_TREE_COPY_REFLINK: they share their blocks with the source until they are changed
 * @PV_TREE_COPY_HARDLINK: they are the files of the source, under further names
 * @PV_TREE_COPY_FULL: they have nothing to do with the source any more
 */
typedef enum
{
  PV_TREE_COPY_REFLINK,
  PV_TREE_COPY_HARDLINK,
  PV_TREE_COPY_FULL,
} PvTreeCopyKind;

gboolean pv_tree_copy (int source_fd, int dest_fd, PvTreeCopyKind kind, const char *const *excluded,
                       PvUnreadable *unreadable, GError **error);
