/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvLock: a lock that is held, on a whole file, and the open file description that holds it.
 *
 * A function that needs a lock to be held takes one as a parameter, as a proof.  `lock/locking.md`
 * has the model.
 */
typedef struct _PvLock PvLock;

typedef enum
{
  PV_LOCK_SHARED,
  PV_LOCK_EXCLUSIVE,
} PvLockMode;

/**
 * PvLockFlags:
 * @PV_LOCK_CREATE: create a lock file that is missing, readable for whoever can read the folder
 */
typedef enum
{
  PV_LOCK_FLAGS_NONE = 0,
  PV_LOCK_CREATE = 1 << 0,
} PvLockFlags;

#define PV_LOCK_NEVER_WAIT 0
#define PV_LOCK_WAIT_FOREVER (-1)

/**
 * PvLockWait: how long to wait, and whom to tell.
 * @timeout_ms: milliseconds; %PV_LOCK_NEVER_WAIT; %PV_LOCK_WAIT_FOREVER
 * @on_wait: (nullable): called once, before the first wait, with what is waited for: `path` for
 *  messages, and `holder`, the pid of one process that is in the way, or 0 where the kernel does
 *  not say (the owner of an OFD lock is no process)
 * @data: for @on_wait
 */
typedef struct
{
  int timeout_ms;
  void (*on_wait) (const char *path, PvLockMode mode, int holder, gpointer data);
  gpointer data;
} PvLockWait;

/**
 * PvLockFolder: a folder as somebody named it, to be looked up as often as needed.
 * @open: opens the folder in which the lock file lies (`O_PATH` will do), from the name;
 *  -1 with an error set if it leads nowhere
 * @may_create: (nullable): whether a missing lock file may be created in the folder that @open has
 *  opened; %NULL: never
 * @data: for both
 */
typedef struct
{
  int (*open) (gconstpointer data, GError **error);
  gboolean (*may_create) (int folder_fd, gconstpointer data);
  gconstpointer data;
} PvLockFolder;

PvLock *pv_lock_acquire_at (int folder_fd, const char *name, PvLockMode mode, PvLockFlags flags,
                            const PvLockWait *wait, GError **error);
PvLock *pv_lock_acquire (const PvLockFolder *folder, const char *name, PvLockMode mode,
                         const PvLockWait *wait, int *ret_folder_fd, GError **error);
PvLock *pv_lock_share (const PvLock *lock, GError **error);
void pv_lock_release (PvLock *lock);

int pv_lock_get_fd (const PvLock *lock);
int pv_lock_give_fd_away (PvLock *lock);
PvLockMode pv_lock_get_mode (const PvLock *lock);
gboolean pv_lock_is_process_oriented (const PvLock *lock);
char *pv_lock_get_path (const PvLock *lock);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvLock, pv_lock_release)
