/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/parent.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/tree.h"
#include "copy/disk.h"
#include "copy/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long nothing is said by who waits. */
#define QUIET_MS 50

void
pv_copy_parent_release (PvCopyParent *parent)
{
  if (parent == NULL)
    return;
  pv_lock_release (parent->lock);
  pv_fd_clear (&parent->fd);
  g_free (parent->path);
  g_free (parent);
}

/**
 * pv_copy_parent_open:
 * @name: (type filename): as the user gave it
 *
 * Returns: an fd of the folder, or -1 with @error set
 */
int
pv_copy_parent_open (const char *name, GError **error)
{
  int fd = open (name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    pv_error_set_errno (error, errno, "Cannot open folder \"%s\"", name);
  return fd;
}

static int
open_for_lock (gconstpointer data, GError **error)
{
  return pv_copy_parent_open (data, error);
}

static gboolean
may_create (int folder_fd, gconstpointer data)
{
  return TRUE;
}

/* A cleaner that is one of ours has gone before anything need be said. */
static PvLock *
acquire (const PvLockFolder *folder, const PvLockWait *wait, int *ret_fd, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  PvLockWait rest = { .timeout_ms = PV_LOCK_NEVER_WAIT };
  PvLockWait quiet = rest;
  PvLock *lock;

  if (wait != NULL)
    rest = *wait;
  if (rest.timeout_ms == PV_LOCK_WAIT_FOREVER || rest.timeout_ms > QUIET_MS)
    {
      quiet.timeout_ms = QUIET_MS;
      lock = pv_lock_acquire (folder, PV_COPY_LOCK, PV_LOCK_SHARED, &quiet, ret_fd, &local_error);
      if (lock != NULL || !g_error_matches (local_error, PV_ERROR, PV_ERROR_BUSY))
        {
          if (lock == NULL)
            g_propagate_error (error, g_steal_pointer (&local_error));
          return lock;
        }
      rest.timeout_ms -= rest.timeout_ms == PV_LOCK_WAIT_FOREVER ? 0 : QUIET_MS;
    }
  return pv_lock_acquire (folder, PV_COPY_LOCK, PV_LOCK_SHARED, &rest, ret_fd, error);
}

/**
 * pv_copy_parent_acquire:
 * @name: (type filename): as the user gave it; it is created if it is missing
 * @registry: (type filename): a folder of links to all such folders
 * @wait: (nullable): how long to wait for a cleaner
 *
 * Returns: (transfer full): the folder, locked, or %NULL with @error set
 */
PvCopyParent *
pv_copy_parent_acquire (const char *name, const char *registry, const PvLockWait *wait,
                        GError **error)
{
  g_autoptr (PvCopyParent) self = g_new0 (PvCopyParent, 1);
  const PvLockFolder folder = { .open = open_for_lock, .may_create = may_create, .data = name };
  pv_autofd made = pv_tree_make (name, 0700, error);

  self->fd = -1;
  if (made < 0)
    return NULL;
  self->lock = acquire (&folder, wait, &self->fd, error);
  if (self->lock == NULL)
    return NULL;
  self->path = pv_fd_get_path (self->fd);
  /* Each time: whoever made the lock file may have been killed, or is another program. */
  pv_registry_add (registry, self->path);
  return g_steal_pointer (&self);
}

/**
 * pv_copy_parent_is_inside:
 * @folder_fd: a folder; `O_PATH` will do
 *
 * Returns: whether the folder of copies is that one, or lies below it
 */
gboolean
pv_copy_parent_is_inside (const PvCopyParent *parent, int folder_fd)
{
  pv_autofd fd = openat (parent->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct stat folder, st, above;

  if (fd < 0 || fstat (folder_fd, &folder) < 0 || fstat (fd, &st) < 0)
    return FALSE;
  for (;;)
    {
      int above_fd;

      if (st.st_dev == folder.st_dev && st.st_ino == folder.st_ino)
        return TRUE;
      above_fd = openat (fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (above_fd < 0)
        return FALSE;
      pv_fd_clear (&fd);
      fd = above_fd;
      if (fstat (fd, &above) < 0 || (above.st_dev == st.st_dev && above.st_ino == st.st_ino))
        return FALSE;
      st = above;
    }
}

/**
 * pv_copy_parent_try:
 * @name: (type filename): as the user gave it
 * @ret_fd: (out): the folder that is locked; the caller owns it
 *
 * For a cleaner, who never waits, and who finds a lock file or needs none.
 *
 * Returns: (transfer full): an exclusive lock, or %NULL with @error set, as pv_lock_acquire()
 */
PvLock *
pv_copy_parent_try (const char *name, int *ret_fd, GError **error)
{
  const PvLockFolder folder = { .open = open_for_lock, .data = name };

  return pv_lock_acquire (&folder, PV_COPY_LOCK, PV_LOCK_EXCLUSIVE, NULL, ret_fd, error);
}
