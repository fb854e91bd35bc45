/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a version gets into the store, whole or not at all:
 *
 *     STORE/NAME/versions/.new-XXXXXX/files/.ref   created, exclusively locked
 *     STORE/NAME/versions/.new-XXXXXX/files/…      filled by the caller
 *     STORE/NAME/versions/.new-XXXXXX/runtime.json written, everything synced
 *     .new-XXXXXX -> VERSION                       renamed, never over another one
 *     STORE/NAME/files -> versions/VERSION/files   switched by rename of `.files-XXXXXX`
 *
 * The lock says that somebody is filling the folder; it is let go last.  A `.new-*` that nobody has
 * locked was left behind by one who was killed, and the next one deletes it.  So whoever has just
 * created and locked `.ref` looks whether the name still leads to it, and starts afresh if not: it
 * may have been deleted in the moment before.
 */
#include "runtime/staging.h"
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tree.h"
#include "lock/lock.h"
#include "runtime/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGING_PREFIX ".new-"
#define LINK_PREFIX ".files-"
#define ATTEMPTS 16
#define NUMBERS_PER_DAY 10000

struct _PvStaging
{
  char *path;        /* STORE/NAME, for messages */
  int runtime_fd;    /* STORE/NAME */
  int versions_fd;   /* STORE/NAME/versions */
  char *folder;      /* `.new-XXXXXX` in versions/; NULL if there is none */
  int folder_fd;     /* of it */
  int files_fd;      /* of files/ in it */
  PvLock *lock;      /* on files/.ref, exclusive; NULL if there is none */
};

static char *
random_name (const char *prefix)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  GString *name = g_string_new (prefix);

  for (int i = 0; i < 6; i++)
    g_string_append_c (name, letters[g_random_int_range (0, (gint32) sizeof letters - 1)]);
  return g_string_free (name, FALSE);
}

/* Deletes all but `.ref`, whose lock keeps others away until the end. */
static gboolean
remove_folder (int versions_fd, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) entries = NULL;
  g_autofree char *files = g_build_filename (folder, "files", NULL);
  pv_autofd files_fd = openat (versions_fd, files,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (files_fd >= 0)
    {
      entries = pv_dir_list (files_fd, error);
      if (entries == NULL)
        return FALSE;
    }
  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];

      if (g_strcmp0 (entry->name, ".ref") != 0
          && !pv_tree_remove_at (files_fd, entry->name, error))
        return FALSE;
    }
  return pv_tree_remove_at (versions_fd, folder, error);
}

/* A folder without `.ref` has only just begun, or is half deleted. */
static gboolean
sweep_one (int versions_fd, const char *folder, GError **error)
{
  g_autofree char *files = g_build_filename (folder, "files", NULL);
  pv_autofd files_fd = openat (versions_fd, files,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  g_autoptr (GError) local_error = NULL;
  g_autoptr (PvLock) lock = NULL;

  if (files_fd >= 0)
    lock = pv_lock_acquire_at (files_fd, ".ref", PV_LOCK_EXCLUSIVE, PV_LOCK_FLAGS_NONE, NULL,
                               &local_error);
  if (local_error != NULL && !g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND))
    {
      pv_debug ("Leaving \"%s\" alone: %s", folder, local_error->message);
      return TRUE;
    }
  pv_debug ("Deleting \"%s\", which somebody left behind", folder);
  return remove_folder (versions_fd, folder, error);
}

static gboolean
sweep (const PvStaging *staging, GError **error)
{
  g_autoptr (GPtrArray) versions = pv_dir_list (staging->versions_fd, error);
  g_autoptr (GPtrArray) links = NULL;

  if (versions == NULL)
    return FALSE;
  for (guint i = 0; i < versions->len; i++)
    {
      const PvEntry *entry = versions->pdata[i];

      if (g_str_has_prefix (entry->name, STAGING_PREFIX)
          && !sweep_one (staging->versions_fd, entry->name, error))
        return FALSE;
    }

  links = pv_dir_list (staging->runtime_fd, error);
  if (links == NULL)
    return FALSE;
  for (guint i = 0; i < links->len; i++)
    {
      const PvEntry *entry = links->pdata[i];

      /* At worst it is taken from somebody who is about to rename it, and who tries again. */
      if (entry->target != NULL && g_str_has_prefix (entry->name, LINK_PREFIX))
        unlinkat (staging->runtime_fd, entry->name, 0);
    }
  return TRUE;
}

static gboolean
check_link (const PvStaging *staging, GError **error)
{
  struct stat st;

  if (fstatat (staging->runtime_fd, "files", &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT
           || pv_error_set_errno (error, errno, "Cannot look at \"%s/files\"", staging->path);
  if (S_ISLNK (st.st_mode))
    return TRUE;
  pv_error_set (error, PV_ERROR_INVALID, "Cannot use \"%s\": \"files\" in it is not a link",
                staging->path);
  return pv_error_hint (error, "move that folder away, or choose another name");
}

/**
 * pv_staging_open:
 * @store: (type filename): the store; created if it is missing
 * @name: of the runtime in it
 *
 * Opens `STORE/NAME/versions` and deletes what killed ones have left there.  Nothing is locked yet.
 *
 * Returns: (transfer full): a staging, or %NULL with @error set
 */
PvStaging *
pv_staging_open (const char *store, const char *name, GError **error)
{
  g_autoptr (PvStaging) staging = g_new0 (PvStaging, 1);
  pv_autofd store_fd = -1;

  staging->path = g_build_filename (store, name, NULL);
  staging->runtime_fd = staging->versions_fd = -1;
  staging->folder_fd = staging->files_fd = -1;

  if (!pv_store_is_name (name))
    {
      pv_error_set (error, PV_ERROR_USAGE, "Cannot name a runtime \"%s\"", name);
      return NULL;
    }
  store_fd = pv_tree_make (store, 0755, error);
  if (store_fd < 0)
    return NULL;
  staging->runtime_fd = pv_tree_make_at (store_fd, name, 0755, error);
  if (staging->runtime_fd < 0)
    return NULL;
  staging->versions_fd = pv_tree_make_at (staging->runtime_fd, "versions", 0755, error);
  if (staging->versions_fd < 0 || !check_link (staging, error) || !sweep (staging, error))
    return NULL;
  return g_steal_pointer (&staging);
}

static void
forget_folder (PvStaging *staging)
{
  pv_fd_clear (&staging->files_fd);
  pv_fd_clear (&staging->folder_fd);
  g_clear_pointer (&staging->lock, pv_lock_release);
  g_clear_pointer (&staging->folder, g_free);
}

static gboolean
still_there (const PvStaging *staging)
{
  g_autofree char *ref = g_build_filename (staging->folder, "files", ".ref", NULL);
  struct stat by_name, by_fd;

  return fstatat (staging->versions_fd, ref, &by_name, AT_SYMLINK_NOFOLLOW) == 0
         && fstat (pv_lock_get_fd (staging->lock), &by_fd) == 0 && by_name.st_dev == by_fd.st_dev
         && by_name.st_ino == by_fd.st_ino;
}

/* Returns: FALSE with errno set */
static gboolean
create_folder (PvStaging *staging)
{
  pv_autofd ref_fd = -1;

  if (mkdirat (staging->versions_fd, staging->folder, 0755) < 0)
    return FALSE;
  staging->folder_fd = openat (staging->versions_fd, staging->folder,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (staging->folder_fd < 0 || mkdirat (staging->folder_fd, "files", 0755) < 0)
    return FALSE;
  staging->files_fd = openat (staging->folder_fd, "files",
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (staging->files_fd < 0)
    return FALSE;
  ref_fd = openat (staging->files_fd, ".ref", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                   0644);
  return ref_fd >= 0 && fchmod (ref_fd, 0644) == 0;
}

static gboolean
is_race (const GError *error)
{
  return g_error_matches (error, PV_ERROR, PV_ERROR_BUSY)
         || g_error_matches (error, PV_ERROR, PV_ERROR_CHANGED)
         || g_error_matches (error, PV_ERROR, PV_ERROR_NOT_FOUND);
}

/* Returns: FALSE without an error if somebody swept it away meanwhile */
static gboolean
try_begin (PvStaging *staging, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  staging->folder = random_name (STAGING_PREFIX);
  if (!create_folder (staging))
    return errno != EEXIST && errno != ENOENT
           && pv_error_set_errno (error, errno, "Cannot create folder \"%s/versions/%s\"",
                                  staging->path, staging->folder);

  staging->lock = pv_lock_acquire_at (staging->files_fd, ".ref", PV_LOCK_EXCLUSIVE,
                                      PV_LOCK_FLAGS_NONE, NULL, &local_error);
  if (staging->lock != NULL)
    return still_there (staging);
  if (!is_race (local_error))
    g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/**
 * pv_staging_begin:
 *
 * Creates the folder that is to be filled, and locks it.  Since nobody may inherit an exclusive
 * lock, no child may be started between this and the end of @staging.
 */
gboolean
pv_staging_begin (PvStaging *staging, GError **error)
{
  for (int i = 0; i < ATTEMPTS; i++)
    {
      g_autoptr (GError) local_error = NULL;

      if (try_begin (staging, &local_error))
        return TRUE;
      if (local_error != NULL)
        {
          if (staging->folder_fd >= 0)
            pv_tree_remove_at (staging->versions_fd, staging->folder, NULL);
          forget_folder (staging);
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      forget_folder (staging);
    }
  return pv_error_set (error, PV_ERROR_CHANGED,
                       "Cannot create a folder in \"%s/versions\": somebody else deletes it",
                       staging->path);
}

/**
 * pv_staging_get_files_fd:
 *
 * Returns: the folder `files` that is to be filled; it stays @staging's
 */
int
pv_staging_get_files_fd (const PvStaging *staging)
{
  return staging->files_fd;
}

gboolean
pv_staging_has_version (const PvStaging *staging, const char *version)
{
  struct stat st;

  return fstatat (staging->versions_fd, version, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static gboolean
write_metadata (const PvStaging *staging, const PvMetadata *metadata, GError **error)
{
  g_autofree char *text = pv_metadata_to_json (metadata);
  pv_autofd fd = -1;

  /* There is one if the number before was taken. */
  unlinkat (staging->folder_fd, PV_METADATA_FILE, 0);
  fd = openat (staging->folder_fd, PV_METADATA_FILE,
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0)
    return pv_error_set_errno (error, errno, "Cannot create \"%s/versions/%s/%s\"", staging->path,
                               staging->folder, PV_METADATA_FILE);
  return pv_fd_write_all (fd, text, strlen (text), error);
}

static gboolean
rename_to (const PvStaging *staging, const char *version)
{
  if (renameat2 (staging->versions_fd, staging->folder, staging->versions_fd, version,
                 RENAME_NOREPLACE) == 0)
    return TRUE;
  /* A filesystem without RENAME_NOREPLACE: no rename replaces a folder that is not empty. */
  if (errno == EINVAL)
    return renameat (staging->versions_fd, staging->folder, staging->versions_fd, version) == 0;
  return FALSE;
}

/* The version's name is in the metadata, so a number that is taken means: write it again. */
static char *
publish (const PvStaging *staging, const PvMetadata *metadata, GError **error)
{
  g_autoptr (PvMetadata) named = pv_metadata_copy (metadata);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *day = g_date_time_format (now, "%Y%m%d");

  for (guint number = 0; number < NUMBERS_PER_DAY; number++)
    {
      if (metadata->version == NULL)
        {
          g_free (named->version);
          named->version = g_strdup_printf ("%s.%u", day, number);
        }
      if (metadata->version == NULL && pv_staging_has_version (staging, named->version))
        continue;
      if (!write_metadata (staging, named, error))
        return NULL;
      if (syncfs (staging->folder_fd) < 0)
        {
          pv_error_set_errno (error, errno, "Cannot sync \"%s\"", staging->path);
          return NULL;
        }
      if (rename_to (staging, named->version))
        return g_steal_pointer (&named->version);
      if ((errno != EEXIST && errno != ENOTEMPTY) || metadata->version != NULL)
        break;
    }
  pv_error_set_errno (error, errno, "Cannot create version \"%s/versions/%s\"", staging->path,
                      named->version);
  return NULL;
}

static gboolean
switch_link (const PvStaging *staging, const char *version, GError **error)
{
  g_autofree char *target = g_build_filename ("versions", version, "files", NULL);

  for (int i = 0; i < ATTEMPTS; i++)
    {
      g_autofree char *link = random_name (LINK_PREFIX);

      if (symlinkat (target, staging->runtime_fd, link) < 0)
        {
          if (errno == EEXIST)
            continue;
          break;
        }
      if (renameat (staging->runtime_fd, link, staging->runtime_fd, "files") == 0)
        return TRUE;
      if (errno != ENOENT)
        {
          int saved_errno = errno;

          unlinkat (staging->runtime_fd, link, 0);
          errno = saved_errno;
          break;
        }
    }
  return pv_error_set_errno (error, errno, "Cannot switch \"%s/files\" to \"%s\"", staging->path,
                             target);
}

/**
 * pv_staging_commit:
 * @metadata: of the version; without a `version`, the next free one of the day is chosen
 *
 * Makes the version visible and the current one.  If that fails, neither has happened, and the
 * folder is still there to be aborted.
 *
 * Returns: (transfer full): the version, or %NULL with @error set
 */
char *
pv_staging_commit (PvStaging *staging, const PvMetadata *metadata, GError **error)
{
  g_autofree char *version = publish (staging, metadata, error);

  if (version == NULL)
    return NULL;
  if (!switch_link (staging, version, error))
    {
      renameat (staging->versions_fd, version, staging->versions_fd, staging->folder);
      return NULL;
    }
  if (fsync (staging->versions_fd) < 0 || fsync (staging->runtime_fd) < 0)
    pv_debug ("Cannot sync \"%s\": %s, ignoring", staging->path, g_strerror (errno));
  forget_folder (staging);
  return g_steal_pointer (&version);
}

/**
 * pv_staging_abort:
 *
 * Deletes the folder that was to be filled, if there is one.
 */
gboolean
pv_staging_abort (PvStaging *staging, GError **error)
{
  gboolean ok = TRUE;

  if (staging->folder != NULL)
    ok = remove_folder (staging->versions_fd, staging->folder, error);
  forget_folder (staging);
  return ok;
}

/**
 * pv_staging_free:
 * @staging: (nullable): aborted if it was not committed
 */
void
pv_staging_free (PvStaging *staging)
{
  g_autoptr (GError) local_error = NULL;

  if (staging == NULL)
    return;
  if (!pv_staging_abort (staging, &local_error))
    pv_debug ("%s, ignoring", local_error->message);
  /* A runtime without any version is none.  Only empty folders go. */
  if (staging->runtime_fd >= 0 && unlinkat (staging->runtime_fd, "versions", AT_REMOVEDIR) == 0)
    rmdir (staging->path);
  pv_fd_clear (&staging->versions_fd);
  pv_fd_clear (&staging->runtime_fd);
  g_free (staging->path);
  g_free (staging);
}
