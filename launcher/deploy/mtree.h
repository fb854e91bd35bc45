/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "deploy/mtree-line.h"

/**
 * PvMtreeFolder: a folder, and what is directly in it.
 * @entry: borrowed
 * @first, @n: where that is in the `entries`; sorted by name
 */
typedef struct
{
  const PvMtreeEntry *entry;
  guint first;
  guint n;
} PvMtreeFolder;

/**
 * PvMtree: a whole manifest: the top, and every entry in a folder that is there.  Immutable.
 * @path: (type filename): the manifest, for messages
 * @entries: (element-type PvMtreeEntry): all but the top; the lock file among them
 * @folders: (element-type PvMtreeFolder): the top first, each before those in it
 * @n_files: how many entries are files
 * @n_bytes: how large they are
 */
typedef struct
{
  char *path;
  GPtrArray *entries;
  GArray *folders;
  GHashTable *by_name;
  PvMtreeEntry *top;
  guint64 n_files;
  guint64 n_bytes;
} PvMtree;

typedef gssize (*PvMtreeReadFunc) (gpointer data, char *buffer, gsize size, GError **error);

PvMtree *pv_mtree_read (const char *path, PvMtreeReadFunc func, gpointer data, GError **error);
const PvMtreeEntry *pv_mtree_get (const PvMtree *mtree, const char *name);
gboolean pv_mtree_set_error (GError **error, const PvMtree *mtree, const PvMtreeEntry *entry,
                             const char *reason);
gboolean pv_mtree_is_lock_file (const PvMtreeEntry *entry);
void pv_mtree_free (PvMtree *mtree);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvMtree, pv_mtree_free)
