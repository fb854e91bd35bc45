/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "deploy/mtree.h"

/**
 * PvNodes: how files of a runtime are made; shared by threads.
 * @mtree: what they shall be; borrowed
 * @files_fd: where their contents are; never changed, but for link counts
 * @method: a #PvDataMethod; used atomically
 * @cannot_clone: the filesystem has no clones; used atomically
 * @link_errno: why some file could not be linked, or 0; used atomically
 * @n_linked, @n_copied: how many were; used atomically
 */
typedef struct
{
  const PvMtree *mtree;
  int files_fd;
  gint method;
  gint cannot_clone;
  gint link_errno;
  gint n_linked;
  gint n_copied;
} PvNodes;

/**
 * PvNodeFolders: a folder of the source and of the copy.
 * @source: `O_PATH`; -1: it has none
 * @source_errno: why
 */
typedef struct
{
  int source;
  int source_errno;
  int dest;
} PvNodeFolders;

gboolean pv_nodes_make (PvNodes *nodes, const PvNodeFolders *folders, const PvMtreeEntry *entry,
                        GError **error);
