/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A deployed runtime, as launches see it: see "Deployed runtimes" in lock/locking.md. */
#include "copy/base.h"

#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"
#include "copy/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * Place: where a base is, or is to be.
 * @parent: (type filename): as the user named it; %NULL: @parent_fd counts
 * @staged: whether one that is being deployed is meant, too
 */
typedef struct
{
  const char *parent;
  int parent_fd;
  const char *digest;
  gboolean staged;
} Place;

void
pv_base_free (PvBase *base)
{
  if (base == NULL)
    return;
  pv_runtime_free (base->runtime);
  pv_lock_release (base->lock);
  g_free (base);
}

static int
open_usr_of (const Place *place, int parent_fd, const char *prefix)
{
  g_autofree char *path = g_strconcat (prefix, place->digest, "/usr", NULL);

  return pv_openat2 (parent_fd, path, O_PATH | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);
}

static int
open_usr (gconstpointer data, GError **error)
{
  const Place *place = data;
  pv_autofd opened =
      place->parent == NULL ? -1 : open (place->parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int parent_fd = place->parent == NULL ? place->parent_fd : opened;
  int fd = parent_fd < 0 ? -1 : open_usr_of (place, parent_fd, PV_COPY_BASE);

  if (fd < 0 && parent_fd >= 0 && errno == ENOENT && place->staged)
    fd = open_usr_of (place, parent_fd, PV_COPY_STAGING);
  if (fd < 0)
    {
      int saved_errno = errno;

      pv_error_set_errno (error, saved_errno, "Cannot open the deployed runtime \"%s%s/usr\"",
                          PV_COPY_BASE, place->digest);
      if (saved_errno == EACCES)
        pv_error_hint (error, "give --runtime-mutable-parent a folder of your own");
    }
  return fd;
}

/* It appears as a whole: that a part is missing is the work of somebody else. */
static gboolean
check_is_absent (const PvCopyParent *parent, const char *digest, GError **error)
{
  g_autofree char *name = g_strconcat (PV_COPY_BASE, digest, NULL);
  pv_autofd fd = openat (parent->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0 && errno == ENOENT)
    return TRUE;
  if (fd >= 0 && faccessat (fd, "usr/" PV_COPY_LOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  pv_error_set (error, PV_ERROR_INVALID,
                "Cannot use the deployed runtime \"%s/%s\": it has no lock file", parent->path,
                name);
  return pv_error_hint (error, "\"pvctl gc\" removes it, and the next launch deploys it anew");
}

/* In a folder that others can write to, anybody may have put it there. */
static gboolean
check_owner (int usr_fd, const PvCopyParent *parent, const char *digest, GError **error)
{
  struct stat usr, base;

  if (fstat (usr_fd, &usr) == 0 && fstatat (usr_fd, "..", &base, 0) == 0
      && (usr.st_uid == geteuid () || usr.st_uid == 0)
      && (base.st_uid == geteuid () || base.st_uid == 0))
    return TRUE;
  pv_error_set (error, PV_ERROR_INVALID,
                "Cannot use the deployed runtime \"%s/" PV_COPY_BASE "%s\": it belongs to another "
                "user",
                parent->path, digest);
  return pv_error_hint (error, "give --runtime-mutable-parent a folder of your own");
}

/**
 * pv_base_acquire:
 * @parent: the folder of copies, locked
 * @manifest: of the runtime
 * @name: the runtime, as the user named it
 *
 * Locks what was deployed from @manifest, without waiting: @parent must not stay locked so long.
 *
 * Returns: (transfer full): the base, or %NULL with @error set: %PV_ERROR_NOT_FOUND if it has not
 *  been deployed, %PV_ERROR_BUSY if somebody has not let go of it yet, %PV_ERROR_INVALID if somebody
 *  has damaged it, or it belongs to another user than the caller and root
 */
PvBase *
pv_base_acquire (const PvCopyParent *parent, const PvManifest *manifest, const char *name,
                 GError **error)
{
  const Place place = { .parent_fd = parent->fd, .digest = manifest->digest };
  const PvLockFolder folder = { .open = open_usr, .data = &place };
  g_autoptr (PvBase) self = g_new0 (PvBase, 1);
  g_autoptr (GError) local_error = NULL;
  int usr_fd;

  self->lock = pv_lock_acquire (&folder, PV_COPY_LOCK, PV_LOCK_SHARED, NULL, &usr_fd, &local_error);
  if (self->lock == NULL)
    {
      if (!g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND)
          || check_is_absent (parent, manifest->digest, error))
        g_propagate_error (error, g_steal_pointer (&local_error));
      return NULL;
    }
  if (!check_owner (usr_fd, parent, manifest->digest, error))
    {
      close (usr_fd);
      return NULL;
    }
  self->runtime = g_new0 (PvRuntime, 1);
  self->runtime->name = g_strdup (name);
  self->runtime->path =
      g_strconcat (parent->path, "/" PV_COPY_BASE, manifest->digest, "/usr", NULL);
  self->runtime->fd = usr_fd;
  self->runtime->layout = PV_LAYOUT_USR;
  return g_steal_pointer (&self);
}

/**
 * pv_base_await:
 * @parent: (type filename): the folder of copies, as the user named it; must not be locked by the
 *  caller
 * @manifest: of the runtime
 * @wait: how long to wait
 *
 * Returns when nobody deploys @manifest any more, be it that it is done or that somebody was killed.
 *
 * Returns: %FALSE with @error set: %PV_ERROR_BUSY if somebody still does
 */
gboolean
pv_base_await (const char *parent, const PvManifest *manifest, const PvLockWait *wait,
               GError **error)
{
  const Place place = { .parent = parent, .digest = manifest->digest, .staged = TRUE };
  const PvLockFolder folder = { .open = open_usr, .data = &place };
  g_autoptr (GError) local_error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd usr_fd = -1;

  /* Not kept: the lock of the parent, for which the caller may wait, comes before this one. */
  lock = pv_lock_acquire (&folder, PV_COPY_LOCK, PV_LOCK_SHARED, wait, &usr_fd, &local_error);
  if (lock != NULL || g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/**
 * pv_base_is_name:
 * @name: (type filename): of something in a folder of copies
 *
 * Returns: whether only what was deployed has such a name
 */
gboolean
pv_base_is_name (const char *name)
{
  return g_str_has_prefix (name, PV_COPY_BASE)
         && pv_manifest_is_digest (name + strlen (PV_COPY_BASE));
}

/**
 * pv_base_get_current:
 * @parent_fd: a folder of copies
 * @name: (type filename): something in it that was deployed
 *
 * Looks at whatever filesystem the manifest was on: no lock should be held.
 *
 * Returns: (transfer full) (type filename) (nullable): the manifest, if it still is the one from
 *  which @name was deployed
 */
char *
pv_base_get_current (int parent_fd, const char *name)
{
  g_autofree char *link = g_strconcat (name, "/" PV_COPY_MANIFEST, NULL);
  g_autofree char *path = pv_dir_read_link (parent_fd, link);

  if (path == NULL || !pv_manifest_is_current (path, name + strlen (PV_COPY_BASE)))
    return NULL;
  return g_steal_pointer (&path);
}
