/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mutable copy on disk: see "Mutable copies" in lock/locking.md. */
#include "copy/copy.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tree.h"
#include "copy/disk.h"
#include "copy/layers.h"
#include "copy/own-etc.h"
#include "copy/trash.h"
#include "copy/tree-copy.h"
#include "copy/tree-snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_LENGTH 6

/* There are 62 to the power of 6 names. */
#define MAX_NAMES 100

/* A cleaner that sees it in use holds it for a moment, and leaves it to this process. */
#define PATIENCE_MS 20

static gboolean
set_error (GError **error, const PvCopy *self, const char *what, const char *name)
{
  return pv_error_set_errno (error, errno, "Cannot %s \"%s/%s\"", what, self->path, name);
}

static char *
make_name (void)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  guint8 bytes[RANDOM_LENGTH];
  char *name = g_strdup (PV_COPY_PREFIX "XXXXXX");

  if (getrandom (bytes, sizeof bytes, 0) < 0)
    memset (bytes, 0, sizeof bytes);
  for (gsize i = 0; i < RANDOM_LENGTH; i++)
    name[strlen (PV_COPY_PREFIX) + i] = letters[bytes[i] % strlen (letters)];
  return name;
}

static gboolean
make_folder (PvCopy *self, const PvCopyParent *parent, GError **error)
{
  for (int i = 0; i < MAX_NAMES; i++)
    {
      g_autofree char *name = make_name ();

      if (mkdirat (parent->fd, name, 0700) < 0)
        {
          if (errno == EEXIST)
            continue;
          break;
        }
      self->path = g_build_filename (parent->path, name, NULL);
      self->fd = openat (parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      return self->fd >= 0
             || pv_error_set_errno (error, errno, "Cannot open folder \"%s\"", self->path);
    }
  return pv_error_set_errno (error, errno, "Cannot create a mutable copy in \"%s\"", parent->path);
}

/* usr/.ref, and the link to it: there is nothing yet that could be lost, and the parent's lock keeps
 * cleaners away until the copy has its own. */
static gboolean
make_lock (PvCopy *self, const PvCopyParent *parent, GError **error)
{
  pv_autofd usr = pv_tree_make_at (self->fd, "usr", 0755, error);

  if (usr < 0)
    return FALSE;
  self->lock = pv_lock_acquire_at (usr, PV_COPY_LOCK, PV_LOCK_SHARED, PV_LOCK_CREATE, NULL, error);
  if (self->lock == NULL)
    return FALSE;
  self->ref_path = g_build_filename (self->path, "usr", PV_COPY_LOCK, NULL);
  self->ref_fd = pv_lock_get_fd (self->lock);
  return symlinkat ("usr/" PV_COPY_LOCK, self->fd, PV_COPY_LOCK) == 0
         || set_error (error, self, "create", PV_COPY_LOCK);
}

/* What is in it is the runtime's; only its lock file is the copy's own, and at the top of a root what
 * has the name by which a copy is kept. */
static gboolean
copy_files (const PvCopy *self, const PvRuntime *runtime, GError **error)
{
  static const char *const excluded[] = { PV_COPY_LOCK, NULL };
  static const char *const excluded_of_root[] = {
    PV_COPY_LOCK,
    "usr/" PV_COPY_LOCK,
    PV_COPY_KEEP,
    NULL,
  };
  static const PvTreeCopyKind kinds[] = {
    [PV_COPY_REFLINK] = PV_TREE_COPY_REFLINK,
    [PV_COPY_HARDLINK] = PV_TREE_COPY_HARDLINK,
    [PV_COPY_FULL] = PV_TREE_COPY_FULL,
  };
  pv_autofd usr = -1;

  if (runtime->layout == PV_LAYOUT_ROOT)
    return pv_tree_copy (runtime->fd, self->fd, kinds[self->strategy], excluded_of_root,
                         self->unreadable, error);
  usr = pv_tree_make_at (self->fd, "usr", 0755, error);
  if (usr < 0)
    return FALSE;
  return pv_tree_copy (runtime->fd, usr, kinds[self->strategy], excluded, self->unreadable, error);
}

/* The folder of a copy of a complete root is still the launcher's own, and nobody else looks in. */
static gboolean
keep_own (const PvCopy *self, GError **error)
{
  struct stat st;

  if (fstat (self->fd, &st) == 0
      && (st.st_uid == geteuid () || fchown (self->fd, geteuid (), -1) == 0)
      && fchmod (self->fd, 0700) == 0)
    return TRUE;
  return set_error (error, self, "keep to oneself", "");
}

static gboolean
reset_time (int fd, const struct stat *st)
{
  const struct timespec times[] = { st->st_atim, st->st_mtim };

  return futimens (fd, times) == 0;
}

/* A snapshot has the runtime's lock file, as a file of its own, but with the same inode number; and
 * what is not copied from the top of a root. */
static gboolean
replace_lock (PvCopy *self, const PvCopyParent *parent, GError **error)
{
  pv_autofd usr = pv_tree_make_at (self->fd, "usr", 0755, error);
  struct stat st, top_st;

  if (usr < 0)
    return FALSE;
  if (fstat (usr, &st) < 0 || fstat (self->fd, &top_st) < 0 || fchmod (usr, 0700) < 0
      || (unlinkat (usr, PV_COPY_LOCK, 0) < 0 && errno != ENOENT)
      || (unlinkat (self->fd, PV_COPY_LOCK, 0) < 0 && errno != ENOENT))
    return set_error (error, self, "replace", PV_COPY_LOCK);
  if (!pv_tree_remove_at (self->fd, PV_COPY_KEEP, error) || !make_lock (self, parent, error))
    return FALSE;
  return (fchmod (usr, st.st_mode & 07777) == 0 && reset_time (usr, &st)
          && reset_time (self->fd, &top_st))
         || set_error (error, self, "set the time of", "usr");
}

/* Only the topmost folder of a snapshot is new: of a complete root, that is the copy's own. */
static gboolean
make_snapshot (PvCopy *self, const PvCopyParent *parent, const PvRuntime *runtime, GError **error)
{
  g_autofree char *name = g_path_get_basename (self->path);
  gboolean made;

  if (runtime->layout != PV_LAYOUT_ROOT)
    return pv_tree_snapshot (runtime->fd, self->fd, "usr", error);
  if (unlinkat (parent->fd, name, AT_REMOVEDIR) < 0)
    return set_error (error, self, "delete", "");
  made = pv_tree_snapshot (runtime->fd, parent->fd, name, error);
  pv_fd_clear (&self->fd);
  self->fd = pv_tree_make_at (parent->fd, name, 0700, made ? error : NULL);
  return made && self->fd >= 0 && keep_own (self, error);
}

/* @ret_done: (out): whether it was; there are other ways */
static gboolean
try_snapshot (PvCopy *self, const PvCopyParent *parent, const PvRuntime *runtime,
              gboolean *ret_done, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  *ret_done = FALSE;
  if (self->strategy != PV_COPY_REFLINK || !pv_tree_can_snapshot (runtime->fd))
    return TRUE;
  if (make_snapshot (self, parent, runtime, &local_error))
    {
      *ret_done = TRUE;
      return replace_lock (self, parent, error);
    }
  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_UNSUPPORTED) && self->fd >= 0)
    {
      pv_debug ("%s", local_error->message);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Whether a copy of @name would belong to the caller, but the lower layer of an overlay does not.
 * Root keeps the owners also in a copy, unless they do not exist in his user namespace: then he may
 * not write either. */
static gboolean
is_of_somebody_else (int fd, const char *name)
{
  struct stat st;

  if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid == geteuid ())
    return FALSE;
  return geteuid () != 0 || (faccessat (fd, name, W_OK, AT_EACCESS) < 0 && errno == EACCES);
}

/* The folders of a lower layer keep their owners. */
static gboolean
check_is_own (const PvRuntime *runtime, GError **error)
{
  if (!is_of_somebody_else (runtime->fd, ".")
      && (runtime->layout != PV_LAYOUT_ROOT || !is_of_somebody_else (runtime->fd, "usr")))
    return TRUE;
  return pv_error_set (error, PV_ERROR_UNSUPPORTED,
                       "Cannot let a program write into all of an overlay over \"%s\": its folders "
                       "belong to somebody else",
                       runtime->path);
}

/* The lock comes first: a folder may get a mode with which nothing can be made in it, and its time
 * is not to change any more. */
static gboolean
fill (PvCopy *self, const PvCopyParent *parent, const PvRuntime *runtime,
      const PvCopyRequest *request, GError **error)
{
  gboolean needs_etc = request->writable && runtime->layout == PV_LAYOUT_ROOT;
  gboolean done;

  /* Bubblewrap mounts each part of a root by itself, and two overlays cannot write into one layer. */
  if (self->strategy == PV_COPY_OVERLAY_BWRAP && request->writable
      && runtime->layout == PV_LAYOUT_ROOT)
    return pv_error_set (
        error, PV_ERROR_UNSUPPORTED,
        "Cannot let bubblewrap mount a writable overlay of the complete root \"%s\"",
        runtime->path);
  if (request->all_writable && request->writable && pv_copy_strategy_is_overlay (self->strategy)
      && !check_is_own (runtime, error))
    return FALSE;
  if (!try_snapshot (self, parent, runtime, &done, error))
    return FALSE;
  if (done)
    return !needs_etc || pv_own_etc_make (self->fd, runtime, error);
  if (!make_lock (self, parent, error))
    return FALSE;
  if (pv_copy_strategy_is_overlay (self->strategy))
    return pv_layers_make (self->fd, runtime, request->writable, error);
  return copy_files (self, runtime, error)
         && (!needs_etc || pv_own_etc_make (self->fd, runtime, error)) && keep_own (self, error);
}

/**
 * pv_copy_strategy_to_string:
 *
 * Returns: (transfer none): as it is said with `--copy-strategy`
 */
const char *
pv_copy_strategy_to_string (PvCopyStrategy strategy)
{
  static const char *const names[] = {
    [PV_COPY_AUTO] = "auto",
    [PV_COPY_OVERLAY] = "overlay",
    [PV_COPY_OVERLAY_BWRAP] = "overlay",
    [PV_COPY_REFLINK] = "reflink",
    [PV_COPY_HARDLINK] = "hardlink",
    [PV_COPY_FULL] = "copy",
  };

  return names[strategy];
}

gboolean
pv_copy_strategy_is_overlay (PvCopyStrategy strategy)
{
  return strategy == PV_COPY_OVERLAY || strategy == PV_COPY_OVERLAY_BWRAP;
}

/* Whoever cannot go on for want of fds is to leave nothing. */
static gboolean
set_fds_aside (PvCopy *self, const PvCopyParent *parent, GError **error)
{
  int *const fds[] = { &self->parent_fd, &self->spare_fds[0], &self->spare_fds[1] };
  int result = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      *fds[i] = result < 0 ? -1 : fcntl (parent->fd, F_DUPFD_CLOEXEC, 3);
      result = *fds[i];
    }
  return result >= 0
         || pv_error_set_errno (error, errno, "Cannot create a mutable copy in \"%s\"",
                                parent->path);
}

static void
clear_spare_fds (PvCopy *self)
{
  for (gsize i = 0; i < G_N_ELEMENTS (self->spare_fds); i++)
    pv_fd_clear (&self->spare_fds[i]);
}

/**
 * pv_copy_new:
 * @parent: where the copy is made
 * @runtime: what is copied; it must be locked
 * @request: how
 *
 * Returns: (transfer full): the copy, or %NULL with @error set, and nothing left;
 *  %PV_ERROR_UNSUPPORTED: another strategy may work
 */
PvCopy *
pv_copy_new (const PvCopyParent *parent, const PvRuntime *runtime, const PvCopyRequest *request,
             GError **error)
{
  g_autoptr (PvCopy) self = g_new0 (PvCopy, 1);

  self->fd = -1;
  self->strategy = request->strategy;
  self->unreadable = pv_unreadable_new ();
  if (!set_fds_aside (self, parent, error) || !make_folder (self, parent, error)
      || !fill (self, parent, runtime, request, error))
    return NULL;
  if (request->keep && mknodat (self->fd, PV_COPY_KEEP, S_IFREG | 0644, 0) < 0)
    {
      set_error (error, self, "create", PV_COPY_KEEP);
      return NULL;
    }
  return g_steal_pointer (&self);
}

static gboolean
is_named (const PvCopy *self, const char *name)
{
  struct stat st, named;

  return fstat (self->fd, &st) == 0
         && fstatat (self->parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0
         && st.st_dev == named.st_dev && st.st_ino == named.st_ino;
}

/* A copy that has no lock yet is protected by that of the parent.
 * Returns: whether nobody else has it: whoever has will remove it */
static gboolean
move_to_trash (PvCopy *self, const char *name, char **ret_trash)
{
  const PvLockWait wait = { .timeout_ms = PATIENCE_MS };
  g_autoptr (PvLock) lock = NULL;
  g_autoptr (GError) local_error = NULL;

  if (self->ref_path != NULL)
    {
      pv_lock_release (g_steal_pointer (&self->lock));
      lock = pv_lock_acquire_at (self->fd, "usr/" PV_COPY_LOCK, PV_LOCK_EXCLUSIVE,
                                 PV_LOCK_FLAGS_NONE, &wait, &local_error);
      if (lock == NULL || !is_named (self, name))
        {
          pv_debug ("Leaving \"%s\": %s", self->path,
                    lock == NULL ? local_error->message : "somebody has replaced it");
          return FALSE;
        }
    }
  return pv_trash_move (self->parent_fd, name, ret_trash) == 0;
}

static void
remove_copy (PvCopy *self)
{
  g_autoptr (GError) local_error = NULL;
  g_autofree char *name = g_path_get_basename (self->path);
  g_autofree char *trash = NULL;

  clear_spare_fds (self);
  if (!move_to_trash (self, name, &trash))
    return;
  pv_fd_clear (&self->fd);
  if (!pv_tree_remove_at (self->parent_fd, trash, &local_error))
    pv_debug ("%s", local_error->message);
}

/**
 * pv_copy_free:
 *
 * Removes a copy that was not used after all: who uses it becomes another program, which removes it
 * at the end.
 */
void
pv_copy_free (PvCopy *copy)
{
  if (copy == NULL)
    return;
  if (copy->path != NULL)
    remove_copy (copy);
  pv_unreadable_free (copy->unreadable);
  pv_lock_release (copy->lock);
  pv_fd_clear (&copy->fd);
  pv_fd_clear (&copy->parent_fd);
  clear_spare_fds (copy);
  g_free (copy->ref_path);
  g_free (copy->path);
  g_free (copy);
}
