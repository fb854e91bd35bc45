/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "lock/lock.h"

/**
 * PvCopyParent: a folder of mutable copies, which nobody cleans up while this is held.
 * @path: (type filename): where it is, absolute
 * @fd: the folder
 * @lock: on its `.ref`, shared
 */
typedef struct
{
  char *path;
  int fd;
  PvLock *lock;
} PvCopyParent;

int pv_copy_parent_open (const char *name, GError **error);
PvCopyParent *pv_copy_parent_acquire (const char *name, const char *registry,
                                      const PvLockWait *wait, GError **error);
PvLock *pv_copy_parent_try (const char *name, int *ret_fd, GError **error);
gboolean pv_copy_parent_is_inside (const PvCopyParent *parent, int folder_fd);
void pv_copy_parent_release (PvCopyParent *parent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvCopyParent, pv_copy_parent_release)
