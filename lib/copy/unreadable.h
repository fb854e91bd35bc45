/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "copy/folder.h"

/**
 * PvUnreadable: what a copy lacks because its source belongs to somebody else and cannot be read.
 * @count: how many files were left out, and folders left empty
 * @first: (type filename) (nullable): one of them, relative to the topmost folder
 * @mutex: guards both while threads copy
 */
typedef struct
{
  guint count;
  char *first;
  GMutex mutex;
} PvUnreadable;

PvUnreadable *pv_unreadable_new (void);
void pv_unreadable_free (PvUnreadable *unreadable);
gboolean pv_unreadable_add (PvUnreadable *unreadable, int saved_errno, const PvFolder *folder,
                            const PvFolderFds *fds, const char *name);
gboolean pv_unreadable_set_attributes (const PvFolderFds *fds, const char *name, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvUnreadable, pv_unreadable_free)
