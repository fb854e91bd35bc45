/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A runtime on its way to `base-DIGEST`.
 *
 * `.new-DIGEST` is what decides who deploys: it is made under another name, locked, and renamed, so
 * that it is never there without its lock being held, but for the one that somebody who was killed
 * has left.  Who gets the lock of that one puts it into the trash, and starts over. */
#include "copy/base-staging.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/openat2.h"
#include "base/tree.h"
#include "copy/disk.h"
#include "copy/manifest.h"
#include "copy/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the name before it is the one that everybody knows. */
#define RANDOM_DIGITS 16

struct _PvBaseStaging
{
  int parent_fd; /* owned */
  char *name;    /* at present, in it; NULL: there is nothing */
  char *digest;
  int fd;     /* of the folder */
  int usr_fd; /* of usr/ in it */
  PvLock *lock;
};

static char *
make_name (void)
{
  guint32 number[2] = { 0 };

  if (getrandom (number, sizeof number, 0) < 0)
    number[0] = (guint32) getpid ();
  return g_strdup_printf (PV_COPY_STAGING "%08x%08x", number[0], number[1]);
}

static gboolean
set_error (GError **error, const PvBaseStaging *self, const char *what, const char *name)
{
  int saved_errno = errno;
  g_autofree char *folder = pv_fd_get_path (self->parent_fd);

  return pv_error_set_errno (error, saved_errno, "Cannot %s \"%s/%s\"", what, folder, name);
}

static gboolean
set_busy (GError **error, const char *digest)
{
  return pv_error_set (error, PV_ERROR_BUSY, "Cannot deploy \"%s\": somebody else does", digest);
}

/* A filesystem that has no RENAME_NOREPLACE still replaces no folder in which there is anything. */
static int
rename_new (int dir_fd, const char *from, const char *to)
{
  int result = renameat2 (dir_fd, from, dir_fd, to, RENAME_NOREPLACE);

  return result < 0 && errno == EINVAL ? renameat (dir_fd, from, dir_fd, to) : result;
}

static gboolean
is_there_already (int saved_errno)
{
  return saved_errno == EEXIST || saved_errno == ENOTEMPTY;
}

/* Under a name that nobody looks for; @name must be locked by the caller.  What cannot be deleted is
 * left to a cleaner. */
static void
discard (int parent_fd, const char *name)
{
  g_autofree char *trash = NULL;
  g_autoptr (GError) local_error = NULL;

  if (pv_trash_move (parent_fd, name, &trash) != 0
      || !pv_tree_remove_at (parent_fd, trash, &local_error))
    pv_debug ("Cannot delete \"%s\", ignoring", name);
}

static int
open_stale (gconstpointer data, GError **error)
{
  const PvBaseStaging *self = data;
  g_autofree char *name = g_strconcat (PV_COPY_STAGING, self->digest, NULL);
  pv_autofd fd = openat (self->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd >= 0)
    /* It may be half deleted. */
    return pv_tree_make_at (fd, "usr", 0755, error);
  set_error (error, self, "open folder", name);
  return -1;
}

static gboolean
may_create (int folder_fd, gconstpointer data)
{
  return TRUE;
}

/* What somebody who was killed has left.  %PV_ERROR_BUSY: he lives. */
static gboolean
clear_stale (const PvBaseStaging *self, GError **error)
{
  const PvLockFolder folder = { .open = open_stale, .may_create = may_create, .data = self };
  g_autofree char *name = g_strconcat (PV_COPY_STAGING, self->digest, NULL);
  g_autoptr (GError) local_error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd usr_fd = -1;

  if (faccessat (self->parent_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
    return TRUE;
  lock = pv_lock_acquire (&folder, PV_COPY_LOCK, PV_LOCK_EXCLUSIVE, NULL, &usr_fd, &local_error);
  if (lock != NULL)
    {
      pv_debug ("Removing \"%s\", which somebody has left", name);
      discard (self->parent_fd, name);
      return TRUE;
    }
  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
make_folder (PvBaseStaging *self, GError **error)
{
  self->name = make_name ();
  if (mkdirat (self->parent_fd, self->name, 0700) < 0)
    {
      set_error (error, self, "create folder", self->name);
      g_clear_pointer (&self->name, g_free);
      return FALSE;
    }
  self->fd = openat (self->parent_fd, self->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (self->fd < 0)
    return set_error (error, self, "open folder", self->name);
  self->usr_fd = pv_tree_make_at (self->fd, "usr", 0755, error);
  if (self->usr_fd < 0)
    return FALSE;
  self->lock = pv_lock_acquire_at (self->usr_fd, PV_COPY_LOCK, PV_LOCK_EXCLUSIVE, PV_LOCK_CREATE,
                                   NULL, error);
  return self->lock != NULL;
}

static gboolean
make_links (PvBaseStaging *self, const char *manifest, GError **error)
{
  return (symlinkat ("usr/" PV_COPY_LOCK, self->fd, PV_COPY_LOCK) == 0
          && symlinkat (manifest, self->fd, PV_COPY_MANIFEST) == 0)
         || set_error (error, self, "create links in", self->name);
}

/* Who gets the name is the one who deploys. */
static gboolean
rename_to (PvBaseStaging *self, const char *prefix, GError **error)
{
  g_autofree char *name = g_strconcat (prefix, self->digest, NULL);

  if (rename_new (self->parent_fd, self->name, name) < 0)
    return is_there_already (errno) ? set_busy (error, self->digest)
                                    : set_error (error, self, "create folder", name);
  g_free (self->name);
  self->name = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
check_not_deployed (const PvBaseStaging *self, GError **error)
{
  g_autofree char *name = g_strconcat (PV_COPY_BASE, self->digest, NULL);

  return (faccessat (self->parent_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
         || set_busy (error, self->digest);
}

/**
 * pv_base_staging_begin:
 * @parent_fd: a folder of copies; its lock is held for a moment
 * @digest: of the manifest
 * @manifest: (type filename): where that is, absolute
 * @wait: (nullable): how long to wait for a cleaner
 *
 * Since nobody may inherit an exclusive lock, no child may be started between this and the end.
 *
 * Returns: (transfer full): a folder to be filled, which only this process has; or %NULL with
 *  @error set: %PV_ERROR_BUSY if somebody else deploys the same, or has
 */
PvBaseStaging *
pv_base_staging_begin (int parent_fd, const char *digest, const char *manifest,
                       const PvLockWait *wait, GError **error)
{
  g_autoptr (PvBaseStaging) self = g_new0 (PvBaseStaging, 1);
  g_autoptr (PvLock) parent_lock = NULL;

  self->fd = self->usr_fd = -1;
  self->digest = g_strdup (digest);
  self->parent_fd = fcntl (parent_fd, F_DUPFD_CLOEXEC, 3);
  /* Cleaners keep away while there is a folder that has no lock yet. */
  parent_lock =
      pv_lock_acquire_at (parent_fd, PV_COPY_LOCK, PV_LOCK_SHARED, PV_LOCK_FLAGS_NONE, wait, error);
  if (parent_lock == NULL || !check_not_deployed (self, error) || !clear_stale (self, error)
      || !make_folder (self, error) || !make_links (self, manifest, error)
      || !rename_to (self, PV_COPY_STAGING, error)
      /* Whoever had the name before may have been done just then. */
      || !check_not_deployed (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * pv_base_staging_is_name:
 * @name: (type filename): of something in a folder of copies
 *
 * Returns: whether only what is being deployed has such a name
 */
gboolean
pv_base_staging_is_name (const char *name)
{
  const char *rest = name + strlen (PV_COPY_STAGING);

  return g_str_has_prefix (name, PV_COPY_STAGING)
         && (pv_manifest_is_digest (rest)
             || (strlen (rest) == RANDOM_DIGITS
                 && strspn (rest, "0123456789abcdef") == RANDOM_DIGITS));
}

/**
 * pv_base_staging_get_usr_fd:
 *
 * Returns: the folder that is to be filled, in which there is its lock file; it stays @staging's
 */
int
pv_base_staging_get_usr_fd (const PvBaseStaging *staging)
{
  return staging->usr_fd;
}

/**
 * pv_base_staging_commit:
 *
 * Makes it `base-DIGEST`.  It stays exclusively locked until @staging is freed.
 */
gboolean
pv_base_staging_commit (PvBaseStaging *staging, GError **error)
{
  if (!rename_to (staging, PV_COPY_BASE, error))
    return FALSE;
  g_clear_pointer (&staging->name, g_free);
  return TRUE;
}

/**
 * pv_base_staging_free:
 *
 * Deletes what was not committed.
 */
void
pv_base_staging_free (PvBaseStaging *staging)
{
  if (staging == NULL)
    return;
  if (staging->name != NULL)
    discard (staging->parent_fd, staging->name);
  pv_lock_release (staging->lock);
  pv_fd_clear (&staging->usr_fd);
  pv_fd_clear (&staging->fd);
  pv_fd_clear (&staging->parent_fd);
  g_free (staging->digest);
  g_free (staging->name);
  g_free (staging);
}
