/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "lock/lock.h"
#include "runtime/layout.h"

/**
 * PvRuntimeName: what the user asked for, and where to look for it.
 * @name: (type filename): absolute, or relative to @base, or to the current folder and then to
 *  @store_dirs; empty: the host
 * @base: (type filename) (nullable): where a relative @name is looked for
 * @store_dirs: (array zero-terminated=1): the store, first the user's
 * @machine: what uname(2) says of this machine
 */
typedef struct
{
  const char *name;
  const char *base;
  char **store_dirs;
  const char *machine;
} PvRuntimeName;

/**
 * PvRuntime: a runtime that was found.  Immutable.
 * @name: (type filename): as the user gave it
 * @path: (type filename): for messages: from pv_runtime_look_up(), where the folder is, for those
 *  who want to do the same again by hand; from pv_runtime_acquire(), just @name
 * @fd: the folder, `O_PATH`, close-on-exec: what is mounted is this, whatever happens to @path
 * @layout: what is in it
 */
typedef struct
{
  char *name;
  char *path;
  int fd;
  PvLayout layout;
} PvRuntime;

PvRuntime *pv_runtime_look_up (const PvRuntimeName *name, GError **error);
PvRuntime *pv_runtime_acquire (const PvRuntimeName *name, const PvLockWait *wait, PvLock **ret_lock,
                               GError **ret_why_not_locked, GError **error);
void pv_runtime_free (PvRuntime *runtime);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvRuntime, pv_runtime_free)
