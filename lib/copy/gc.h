/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "copy/mounted.h"

/**
 * PvGcOutcome: what became of something in a folder of mutable copies.
 * @PV_GC_REMOVED: it is gone, or would be
 * @PV_GC_IN_USE: somebody holds its lock; of the folder itself: somebody sets up a copy, or cleans
 * @PV_GC_MOUNTED: nobody holds its lock, but somebody has it mounted
 * @PV_GC_KEPT: it has a file `keep`
 * @PV_GC_CURRENT: nobody uses it, but its manifest is still what it was deployed from
 * @PV_GC_NOT_OURS: nothing of this program, or of another user
 * @PV_GC_CLOSED: there is no permission to look into it
 * @PV_GC_FAILED: it should have been removed
 */
typedef enum
{
  PV_GC_REMOVED,
  PV_GC_IN_USE,
  PV_GC_MOUNTED,
  PV_GC_KEPT,
  PV_GC_CURRENT,
  PV_GC_NOT_OURS,
  PV_GC_CLOSED,
  PV_GC_FAILED,
} PvGcOutcome;

/**
 * PvGcEntry: one of them.
 * @path: (type filename): where it was
 * @reason: (nullable): one line; %NULL: the outcome says it all
 * @pids: (nullable) (element-type pid_t): who has it mounted
 * @lock_device, @lock_inode: for %PV_GC_IN_USE: the lock file, as `/proc` has it; else 0
 * @trash: (type filename) (nullable): the name to which it was renamed
 */
typedef struct
{
  char *path;
  PvGcOutcome outcome;
  char *reason;
  GArray *pids;
  dev_t lock_device;
  ino_t lock_inode;
  char *trash;
} PvGcEntry;

GPtrArray *pv_gc_clean (const char *parent, const PvMounted *mounted, gboolean dry_run,
                        GError **error);
const char *pv_gc_outcome_to_string (PvGcOutcome outcome);
