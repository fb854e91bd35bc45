/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "copy/parent.h"
#include "copy/unreadable.h"
#include "runtime/runtime.h"

/**
 * PvCopyStrategy: how a mutable copy is made; each costs more than the one before.
 * @PV_COPY_AUTO: by the first one that works
 * @PV_COPY_OVERLAY: an overlay over the runtime, which stays its lower layer
 * @PV_COPY_OVERLAY_BWRAP: the same, mounted by bubblewrap instead of by ourselves
 * @PV_COPY_REFLINK: files that share their blocks
 * @PV_COPY_HARDLINK: the same files: nobody may write into them
 * @PV_COPY_FULL: files of their own
 */
typedef enum
{
  PV_COPY_AUTO,
  PV_COPY_OVERLAY,
  PV_COPY_OVERLAY_BWRAP,
  PV_COPY_REFLINK,
  PV_COPY_HARDLINK,
  PV_COPY_FULL,
} PvCopyStrategy;

/**
 * PvCopyRequest: what copy is wanted.
 * @strategy: how it is made; not %PV_COPY_AUTO
 * @writable: whether the program may write into it
 * @all_writable: with @writable: only if the program can write into all of it that the caller may
 *  write into in a full copy
 * @keep: whether no cleaner is to remove it
 */
typedef struct
{
  PvCopyStrategy strategy;
  gboolean writable;
  gboolean all_writable;
  gboolean keep;
} PvCopyRequest;

/**
 * PvCopy: a mutable copy, `DIR/tmp-XXXXXX`, that nobody removes while this is held.
 * @path: (type filename): where it is, absolute
 * @fd: its folder
 * @parent_fd: the one in which it is
 * @spare_fds: for its removal, when there may be no others
 * @strategy: how it was made
 * @unreadable: what of the runtime it lacks
 * @lock: (nullable): on its `usr/.ref`, shared; can be taken from here
 * @ref_path, @ref_fd: (type filename): that file; @ref_fd is borrowed from @lock
 */
typedef struct
{
  char *path;
  int fd;
  int parent_fd;
  int spare_fds[2];
  PvCopyStrategy strategy;
  PvUnreadable *unreadable;
  PvLock *lock;
  char *ref_path;
  int ref_fd;
} PvCopy;

const char *pv_copy_strategy_to_string (PvCopyStrategy strategy);
gboolean pv_copy_strategy_is_overlay (PvCopyStrategy strategy);
PvCopy *pv_copy_new (const PvCopyParent *parent, const PvRuntime *runtime,
                     const PvCopyRequest *request, GError **error);
void pv_copy_free (PvCopy *copy);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvCopy, pv_copy_free)
