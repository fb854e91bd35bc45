/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <time.h>

typedef enum
{
  PV_MTREE_UNKNOWN,
  PV_MTREE_FILE,
  PV_MTREE_FOLDER,
  PV_MTREE_LINK,
} PvMtreeType;

/**
 * PvMtreeEntry: what a manifest says of one file.
 * @name: (type filename): relative to the top, without `.` and `..`; empty: the top itself
 * @line: where it says so; 0: nowhere, it is a folder that must be there
 * @type: what it is
 * @size: in bytes, or -1
 * @mode: permissions, or -1
 * @mtime: if @has_mtime
 * @target: (type filename) (nullable): of a link
 * @contents: (type filename) (nullable): where its contents are, if not under @name
 * @sha256: (nullable): of its contents, in lower case
 * @optional: it may be missing
 * @ignore: what is below it does not matter
 * @no_change: its mode and time do not matter
 */
typedef struct
{
  char *name;
  guint line;
  PvMtreeType type;
  gint64 size;
  int mode;
  gboolean has_mtime;
  struct timespec mtime;
  char *target;
  char *contents;
  char *sha256;
  gboolean optional;
  gboolean ignore;
  gboolean no_change;
} PvMtreeEntry;

/**
 * PvMtreeLines: a reader of lines.
 * @defaults: what `/set` has said
 */
typedef struct
{
  PvMtreeEntry *defaults;
} PvMtreeLines;

PvMtreeEntry *pv_mtree_entry_new (const char *name, PvMtreeType type);
void pv_mtree_entry_free (PvMtreeEntry *entry);

PvMtreeLines *pv_mtree_lines_new (void);
gboolean pv_mtree_lines_read (PvMtreeLines *lines, const char *text, PvMtreeEntry **ret_entry,
                              GError **error);
void pv_mtree_lines_free (PvMtreeLines *lines);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvMtreeEntry, pv_mtree_entry_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvMtreeLines, pv_mtree_lines_free)
