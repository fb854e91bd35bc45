/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removes the copies that nobody uses, and what was deployed from a manifest that is gone.
 *
 *   look which manifests are still there: they may be on a filesystem that takes its time
 *   lock the folder exclusively, without waiting
 *     each copy: lock it exclusively, without waiting; rename it to .trash-*; let go of it
 *     now and then let go of the folder, and lock it again: launches do not wait for all of that
 *   let go of the folder: no launch waits for what follows
 *     look what is in the trash; read who has what mounted; delete what nobody has
 *
 * Mounts are read twice, both times without a lock.  What is read first keeps a copy whose
 * container has lost its supervisors from being renamed.  It does not prove that nobody has the copy
 * mounted: meanwhile a container may have been started, and its supervisors killed.  What is read
 * after the names of the trash does: nobody finds a copy under its former name, so whoever has it
 * mounted had it when it was renamed, or descends from somebody who had.  A copy that is found then
 * stays in the trash until a later run finds it free.
 *
 * Whoever is killed on the way leaves a copy, or a part of one in the trash: both are for the next
 * run. */
#include "copy/gc.h"

#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"
#include "base/tree.h"
#include "copy/base-staging.h"
#include "copy/base.h"
#include "copy/disk.h"
#include "copy/gc-entry.h"
#include "copy/open-copy.h"
#include "copy/parent.h"
#include "copy/shape.h"
#include "copy/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long launches have to wait at a time, and how long they are let in. */
#define HOLD_US 5000
#define PAUSE_US 500

/* With launches without end beside it, a cleaner gives up some day. */
#define MAX_TRIES 200

/**
 * Run: over one folder.
 * @fd: the folder
 * @place: where it is; borrowed
 * @mounted: borrowed
 * @is_known: whether it has a lock file, as every folder of copies has
 * @current: (element-type filename filename): deployed runtimes, and the manifests of those for which
 *  it is still there
 * @has_mounted: whether a copy was found that is mounted, although nobody holds its lock
 * @locked_since: microseconds: when the folder was locked
 * @found: (element-type PvGcEntry): what became of what
 */
typedef struct
{
  int fd;
  const PvPlace *place;
  const PvMounted *mounted;
  gboolean dry_run;
  gboolean is_known;
  GHashTable *current;
  gboolean has_mounted;
  gint64 locked_since;
  GPtrArray *found;
} Run;

static PvGcEntry *
add_entry (const Run *run, const char *name)
{
  PvGcEntry *entry = g_new0 (PvGcEntry, 1);

  entry->path =
      name != NULL ? g_build_filename (run->place->path, name, NULL) : g_strdup (run->place->path);
  g_ptr_array_add (run->found, entry);
  return entry;
}

static gboolean
leave_in_use (PvGcEntry *entry, const Run *run, const struct stat *lock)
{
  entry->lock_device = run->place->device;
  entry->lock_inode = lock->st_ino;
  return pv_gc_entry_leave (entry, PV_GC_IN_USE, NULL);
}

/* Returns: whether nobody has it mounted */
static gboolean
check_mounts (PvGcEntry *entry, const Run *run, const PvMounted *mounted, const char *name)
{
  g_autoptr (PvPlace) place = pv_place_inside (run->place, name);
  const GArray *pids = pv_mounted_get (mounted, place);

  if (pids == NULL)
    return TRUE;
  entry->pids = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_array_append_vals (entry->pids, pids->data, pids->len);
  return pv_gc_entry_leave (entry, PV_GC_MOUNTED, NULL);
}

/* Returns: whether it is a folder of this user's; otherwise it is left, or gone already */
static gboolean
check_owner (Run *run, const char *name)
{
  struct stat st;

  if (fstatat (run->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    {
      int saved_errno = errno;

      return saved_errno != ENOENT && pv_gc_entry_leave_for_errno (add_entry (run, name), saved_errno);
    }
  if (!S_ISDIR (st.st_mode))
    return pv_gc_entry_leave (add_entry (run, name), PV_GC_NOT_OURS, "not a folder");
  if (st.st_uid != geteuid ())
    return pv_gc_entry_leave (add_entry (run, name), PV_GC_NOT_OURS, "it belongs to another user");
  return TRUE;
}

/* A folder of such a name that is none of ours: somebody may have named a wrong parent, or one in
 * which there is more than copies. */
static gboolean
check_is_ours (PvGcEntry *entry, const Run *run, int fd, const char *name)
{
  if (!pv_base_is_name (name) && !pv_shape_is_copy (fd, name))
    return pv_gc_entry_leave (entry, PV_GC_NOT_OURS, "it has no lock file, and other things than a copy");
  if (run->is_known || faccessat (fd, PV_COPY_LOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0
      || faccessat (fd, "usr/" PV_COPY_LOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  return pv_gc_entry_leave (entry, PV_GC_NOT_OURS, "neither this nor its parent has a lock file");
}

/* A lock file that is none, or a link that leads out of the copy or nowhere, is nobody's lock.
 * @ret_lock: (out) (nullable): %NULL: there is nothing to lock
 * Returns: whether nobody else holds it */
static gboolean
take_lock (PvGcEntry *entry, const Run *run, int copy_fd, const char *name, PvLock **ret_lock)
{
  g_autoptr (GError) error = NULL;
  pv_autofd fd = pv_openat2 (copy_fd, name, O_PATH | O_NOFOLLOW, 0, PV_RESOLVE_BENEATH);
  struct stat st;

  *ret_lock = NULL;
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != EXDEV && errno != ELOOP)
    return pv_gc_entry_leave_for_errno (entry, errno);
  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    return TRUE;

  *ret_lock
    = pv_lock_acquire_at (copy_fd, name, PV_LOCK_EXCLUSIVE, PV_LOCK_FLAGS_NONE, NULL, &error);
  if (*ret_lock != NULL)
    return TRUE;
  if (g_error_matches (error, PV_ERROR, PV_ERROR_BUSY)
      || g_error_matches (error, PV_ERROR, PV_ERROR_CHANGED))
    return leave_in_use (entry, run, &st);
  /* Somebody else deletes it just now. */
  if (g_error_matches (error, PV_ERROR, PV_ERROR_NOT_FOUND))
    return TRUE;
  return pv_gc_entry_leave (entry, PV_GC_FAILED, error->message);
}

static gboolean
is_same (int fd, int other_fd)
{
  struct stat st, other;

  return fstat (fd, &st) == 0 && fstat (other_fd, &other) == 0 && st.st_dev == other.st_dev
         && st.st_ino == other.st_ino;
}

/* Returns: whether the name still means it; if there is none any more, nothing is to be said */
static gboolean
check_is_named (PvGcEntry *entry, Run *run, int copy_fd, const char *name)
{
  pv_autofd fd = openat (run->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

  if (fd >= 0 && is_same (fd, copy_fd))
    return TRUE;
  if (fd >= 0 || errno != ENOENT)
    return pv_gc_entry_leave (entry, PV_GC_IN_USE, "somebody has replaced it");
  g_ptr_array_remove (run->found, entry);
  return FALSE;
}

static void
move_to_trash (PvGcEntry *entry, const Run *run, const char *name)
{
  int saved_errno = pv_trash_move (run->fd, name, &entry->trash);

  if (saved_errno != 0 && saved_errno != ENOENT)
    pv_gc_entry_leave (entry, PV_GC_FAILED, g_strerror (saved_errno));
}

/* A mounted overlay does not say what is below it: while nobody holds the locks of one, any may be. */
static gboolean
check_is_outdated (PvGcEntry *entry, const Run *run, const char *name)
{
  const char *manifest = g_hash_table_lookup (run->current, name);
  g_autofree char *reason = NULL;

  if (!pv_base_is_name (name))
    return TRUE;
  if (manifest != NULL)
    {
      reason = g_strdup_printf ("its manifest \"%s\" is still there", manifest);
      return pv_gc_entry_leave (entry, PV_GC_CURRENT, reason);
    }
  return !run->has_mounted
         || pv_gc_entry_leave (entry, PV_GC_IN_USE, "a copy that may depend on it is mounted");
}

/* @parent_lock: (nullable): a proof that nobody is setting it up; %NULL: there is no lock file */
static void
clean_copy (Run *run, const PvLock *parent_lock G_GNUC_UNUSED, const char *name)
{
  g_autoptr (PvLock) lock = NULL;
  g_autoptr (PvLock) further = NULL;
  g_auto (PvOpenCopy) copy = { .fd = -1 };
  PvGcEntry *entry;
  struct stat st;

  if (!check_owner (run, name))
    return;
  entry = add_entry (run, name);
  copy = pv_open_copy (run->fd, name, !run->dry_run);
  if (copy.fd < 0)
    {
      int saved_errno = errno;

      if (saved_errno == ENOENT)
        g_ptr_array_remove (run->found, entry);
      else
        pv_gc_entry_leave_for_errno (entry, saved_errno);
      return;
    }
  if (faccessat (copy.fd, PV_COPY_KEEP, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    {
      pv_gc_entry_leave (entry, PV_GC_KEPT, NULL);
      return;
    }
  if (!check_is_ours (entry, run, copy.fd, name)
      || !take_lock (entry, run, copy.fd, "usr/" PV_COPY_LOCK, &lock))
    return;
  /* Usually a link to that; but some clean-up may have created a file of its own there. */
  if (fstatat (copy.fd, PV_COPY_LOCK, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG (st.st_mode)
      && st.st_nlink == 1 && !take_lock (entry, run, copy.fd, PV_COPY_LOCK, &further))
    return;
  if (!check_is_named (entry, run, copy.fd, name))
    return;
  if (!check_mounts (entry, run, run->mounted, name))
    run->has_mounted = TRUE;
  /* Without a lock file it is of no use to anybody. */
  else if ((lock == NULL || check_is_outdated (entry, run, name)) && !run->dry_run)
    move_to_trash (entry, run, name);
}

static gboolean
is_copy (const PvEntry *entry)
{
  return g_str_has_prefix (entry->name, PV_COPY_PREFIX);
}

/* What was deployed, and what is being deployed or has been left of that. */
static gboolean
is_base (const PvEntry *entry)
{
  return pv_base_is_name (entry->name) || pv_base_staging_is_name (entry->name);
}

static gboolean
is_trash (const PvEntry *entry)
{
  return g_str_has_prefix (entry->name, PV_COPY_TRASH);
}

/* @patience: how often to try: who sets up a copy is done in less than a millisecond
 * @ret_lock: (out) (nullable): %NULL: somebody is there, which is said */
static gboolean
lock_parent (Run *run, const char *parent, int patience, PvLock **ret_lock, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  pv_autofd locked_fd = -1;
  struct stat st;

  *ret_lock = pv_copy_parent_try (parent, &locked_fd, &local_error);
  while (--patience > 0 && g_error_matches (local_error, PV_ERROR, PV_ERROR_BUSY))
    {
      g_clear_error (&local_error);
      g_usleep (PAUSE_US);
      *ret_lock = pv_copy_parent_try (parent, &locked_fd, &local_error);
    }
  run->locked_since = g_get_monotonic_time ();
  if (*ret_lock != NULL)
    return is_same (run->fd, locked_fd)
           || pv_error_set (error, PV_ERROR_CHANGED,
                            "Cannot clean \"%s\": it was replaced meanwhile", parent);
  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_BUSY)
      && fstatat (run->fd, PV_COPY_LOCK, &st, 0) == 0)
    {
      leave_in_use (add_entry (run, NULL), run, &st);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* A copy that was renamed away while a container that has lost its supervisors had it mounted still
 * depends on what it was made from. */
static void
note_mounted_trash (Run *run, const GPtrArray *entries)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];
      g_autoptr (PvPlace) place = is_trash (entry) ? pv_place_inside (run->place, entry->name) : NULL;

      if (place != NULL && pv_mounted_get (run->mounted, place) != NULL)
        run->has_mounted = TRUE;
    }
}

/* Launches do not wait for all that there is to do.
 * @lock: (inout) (nullable): as of lock_parent() */
static gboolean
let_others_in (Run *run, const char *parent, PvLock **lock, GError **error)
{
  if (*lock == NULL || g_get_monotonic_time () - run->locked_since < HOLD_US)
    return TRUE;
  pv_lock_release (g_steal_pointer (lock));
  g_usleep (PAUSE_US);
  return lock_parent (run, parent, MAX_TRIES, lock, error);
}

/* Returns: whether there is a copy or a deployed runtime among them */
static gboolean
look_at (Run *run, const GPtrArray *entries)
{
  gboolean has_any = FALSE;

  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];
      char *manifest = NULL;

      has_any |= is_copy (entry) || is_base (entry);
      if (!is_copy (entry) && !is_base (entry) && !is_trash (entry)
          && strcmp (entry->name, PV_COPY_LOCK) != 0)
        pv_gc_entry_leave (add_entry (run, entry->name), PV_GC_NOT_OURS, "no copy has such a name");
      if (pv_base_is_name (entry->name)
          && (manifest = pv_base_get_current (run->fd, entry->name)) != NULL)
        g_hash_table_insert (run->current, g_strdup (entry->name), manifest);
    }
  return has_any;
}

static gboolean
clean_copies (Run *run, const char *parent, GError **error)
{
  g_autoptr (GPtrArray) entries = pv_dir_list (run->fd, error);
  g_autoptr (PvLock) lock = NULL;

  if (entries == NULL)
    return FALSE;
  /* Whoever sets up a copy has made the lock file before: without one, nobody sets up these. */
  run->is_known = faccessat (run->fd, PV_COPY_LOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (!look_at (run, entries))
    return TRUE;
  if (run->is_known && !lock_parent (run, parent, 1, &lock, error))
    return FALSE;
  note_mounted_trash (run, entries);
  /* Copies come first: what they say of what they depend on counts. */
  for (guint i = 0; i < 2 * entries->len && (lock != NULL || !run->is_known); i++)
    {
      const PvEntry *entry = entries->pdata[i % entries->len];

      if (!(i < entries->len ? is_copy (entry) : is_base (entry)))
        continue;
      clean_copy (run, lock, entry->name);
      if (!let_others_in (run, parent, &lock, error))
        return FALSE;
    }
  return TRUE;
}

/* Returns: what it was before it was trash; or a new one, if somebody else has put it there */
static PvGcEntry *
find_entry (Run *run, const char *trash)
{
  for (guint i = 0; i < run->found->len; i++)
    {
      PvGcEntry *entry = run->found->pdata[i];

      if (g_strcmp0 (entry->trash, trash) == 0)
        return entry;
    }
  return add_entry (run, trash);
}

/* What this run has put there is; the rest may be anybody's. */
static gboolean
check_is_trash (PvGcEntry *entry, const Run *run, const char *name)
{
  pv_autofd fd = -1;

  if (entry->trash != NULL)
    return TRUE;
  if (!run->is_known)
    return pv_gc_entry_leave (entry, PV_GC_NOT_OURS, "its parent has no lock file");
  fd = openat (run->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 || pv_shape_is_trash (fd, name)
         || pv_gc_entry_leave (entry, PV_GC_NOT_OURS, "it has other things than a copy");
}

static void
delete_trash (Run *run, const PvMounted *mounted, const char *name)
{
  g_autoptr (GError) error = NULL;
  PvGcEntry *entry;

  if (!check_owner (run, name))
    return;
  entry = find_entry (run, name);
  if (check_is_trash (entry, run, name) && check_mounts (entry, run, mounted, name) && !run->dry_run
      && !pv_tree_remove_at (run->fd, name, &error))
    pv_gc_entry_leave (entry, PV_GC_FAILED, error->message);
}

/* Whoever it was that put it there. */
static gboolean
empty_trash (Run *run, GError **error)
{
  g_autoptr (GPtrArray) entries = pv_dir_list (run->fd, error);
  g_autoptr (PvMounted) mounted = NULL;
  g_autoptr (PvPlace) place = pv_place_of (run->fd);

  if (entries == NULL)
    return FALSE;
  run->place = place;
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];

      if (!is_trash (entry))
        continue;
      if (mounted == NULL)
        mounted = pv_mounted_read ();
      delete_trash (run, mounted, entry->name);
    }
  return TRUE;
}

/**
 * pv_gc_clean:
 * @parent: (type filename): a folder of mutable copies
 * @mounted: what is mounted, read when this process had no lock yet
 * @dry_run: say what would be done, and do nothing
 *
 * Returns: (transfer full) (element-type PvGcEntry): what became of what is in it; or %NULL with
 *  @error set
 */
GPtrArray *
pv_gc_clean (const char *parent, const PvMounted *mounted, gboolean dry_run, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (pv_gc_entry_free);
  g_autoptr (GHashTable) current
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  pv_autofd fd = pv_copy_parent_open (parent, error);
  g_autoptr (PvPlace) place = fd < 0 ? NULL : pv_place_of (fd);
  Run run = {
    .fd = fd,
    .place = place,
    .mounted = mounted,
    .dry_run = dry_run,
    .current = current,
    .found = found,
  };

  if (fd < 0)
    return NULL;
  if (!clean_copies (&run, parent, error) || !empty_trash (&run, error))
    return NULL;
  return g_steal_pointer (&found);
}
