/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "copy/folder.h"
#include "copy/hard-links.h"
#include "copy/tree-copy.h"
#include "copy/unreadable.h"

/**
 * PvFileCopy: how files are copied; shared by threads.
 * @links: borrowed
 * @unreadable: (nullable): borrowed
 * @method: a #PvDataMethod; used atomically
 */
typedef struct
{
  PvTreeCopyKind kind;
  PvHardLinks *links;
  PvUnreadable *unreadable;
  gint method;
} PvFileCopy;

gboolean pv_file_copy (PvFileCopy *self, const PvFolder *folder, const PvFolderFds *fds,
                       const PvName *name, GError **error);
