/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/tree.h"
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* One fd is open for each level; what is deeper, or deeper than there are fds, is moved up to where
 * it is not. */
#define MAX_DEPTH 24

/* Somebody else who puts new things into what is deleted does not keep us for ever. */
#define MAX_ROUNDS 100000

static gboolean
set_error_at (GError **error, int saved_errno, const char *what, int dir_fd, const char *name)
{
  g_autofree char *folder = pv_fd_get_path (dir_fd);

  return pv_error_set_errno (error, saved_errno, "Cannot %s \"%s/%s\"", what, folder, name);
}

/**
 * pv_tree_make:
 * @path: (type filename): a folder, as the user named it: links on the way are followed
 * @mode: for the folders that are missing, less the umask
 *
 * Returns: an fd of the folder, which was created together with its parents if it was missing; or
 *  -1 with @error set
 */
int
pv_tree_make (const char *path, mode_t mode, GError **error)
{
  pv_autofd fd = -1;

  if (g_mkdir_with_parents (path, (int) mode) < 0)
    {
      pv_error_set_errno (error, errno, "Cannot create folder \"%s\"", path);
      return -1;
    }
  fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    {
      pv_error_set_errno (error, errno, "Cannot open folder \"%s\"", path);
      return -1;
    }
  return pv_fd_steal (&fd);
}

/**
 * pv_tree_make_at:
 * @dir_fd: an open folder
 * @name: (type filename): one name in it, which must not be a link
 * @mode: if the folder is missing, less the umask
 *
 * Returns: an fd of the folder, which was created if it was missing; or -1 with @error set
 */
int
pv_tree_make_at (int dir_fd, const char *name, mode_t mode, GError **error)
{
  pv_autofd fd = -1;

  if (mkdirat (dir_fd, name, mode) < 0 && errno != EEXIST)
    {
      set_error_at (error, errno, "create folder", dir_fd, name);
      return -1;
    }
  fd = openat (dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    {
      set_error_at (error, errno, "open folder", dir_fd, name);
      return -1;
    }
  return pv_fd_steal (&fd);
}

/**
 * Removal: of one tree.
 * @top_fd: the folder itself
 * @mount_id: of the mount in which it is
 * @n_moved: what was moved up to it so far
 * @error: (nullable): where the first error goes; the rest is deleted all the same
 * @failed: whether there was one
 */
typedef struct
{
  int top_fd;
  guint64 mount_id;
  guint n_moved;
  GError **error;
  gboolean failed;
} Removal;

static void
note_failure (Removal *self, const char *what, int dir_fd, const char *name)
{
  if (!self->failed)
    set_error_at (self->error, errno, what, dir_fd, name);
  self->failed = TRUE;
}

/* A number that tells mounts apart, bind mounts too; before Linux 5.8 the device, which tells apart
 * only filesystems. */
static gboolean
get_mount_id (int fd, guint64 *ret_id)
{
  struct statx stx;

  if (statx (fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
    return FALSE;
  if (stx.stx_mask & STATX_MNT_ID)
    *ret_id = stx.stx_mnt_id;
  else
    *ret_id = (guint64) stx.stx_dev_major << 32 | stx.stx_dev_minor;
  return TRUE;
}

static int
open_to_empty (int dir_fd, const char *name)
{
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat (dir_fd, name, flags);

  if (fd < 0 && errno == EACCES && fchmodat (dir_fd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
    return openat (dir_fd, name, flags);
  return fd;
}

/* A folder that its owner may not read, enter or write cannot be emptied.  If it does not work, what
 * cannot be deleted says so. */
static void
allow_to_empty (int fd)
{
  struct stat st;

  if (fstat (fd, &st) == 0 && (st.st_mode & 0700) != 0700)
    fchmod (fd, 0700);
}

/* Whatever has that name there is deleted too. */
static void
move_up (Removal *self, int dir_fd, const char *name)
{
  char higher[32];

  for (;;)
    {
      snprintf (higher, sizeof higher, "%u", self->n_moved++);
      if (renameat (dir_fd, name, self->top_fd, higher) == 0 || errno == ENOENT)
        return;
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
        {
          note_failure (self, "delete folder", dir_fd, name);
          return;
        }
    }
}

static void empty_folder (Removal *self, int fd, int depth);

static void
remove_folder (Removal *self, int dir_fd, const char *name, int depth)
{
  pv_autofd fd = -1;
  guint64 mount_id;

  if (unlinkat (dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
    return;
  fd = open_to_empty (dir_fd, name);
  if (fd < 0 && errno == EMFILE && depth > 0)
    {
      move_up (self, dir_fd, name);
      return;
    }
  if (fd < 0 || !get_mount_id (fd, &mount_id))
    {
      if (errno != ENOENT)
        note_failure (self, "open folder", dir_fd, name);
      return;
    }
  if (mount_id != self->mount_id)
    {
      errno = EXDEV;
      note_failure (self, "delete", dir_fd, name);
      return;
    }
  if (pv_subvolume_delete (dir_fd, name, fd))
    return;
  allow_to_empty (fd);
  if (depth >= MAX_DEPTH)
    {
      move_up (self, dir_fd, name);
      return;
    }
  empty_folder (self, fd, depth + 1);
  if (unlinkat (dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
    note_failure (self, "delete folder", dir_fd, name);
}

static void
remove_file (Removal *self, int dir_fd, const char *name, int depth)
{
  if (unlinkat (dir_fd, name, 0) == 0 || errno == ENOENT)
    return;
  /* It was none when it was listed. */
  if (errno == EISDIR)
    remove_folder (self, dir_fd, name, depth);
  else
    note_failure (self, "delete", dir_fd, name);
}

static void
empty_folder (Removal *self, int fd, int depth)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GPtrArray) entries = pv_dir_list (fd, &local_error);

  if (entries == NULL)
    {
      if (!self->failed)
        g_propagate_error (self->error, g_steal_pointer (&local_error));
      self->failed = TRUE;
      return;
    }
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];

      if (entry->is_dir)
        remove_folder (self, fd, entry->name, depth);
      else
        remove_file (self, fd, entry->name, depth);
    }
}

/* Round by round, until nothing has been moved up. */
static void
remove_top (Removal *self, int dir_fd, const char *name)
{
  for (int i = 0; i < MAX_ROUNDS; i++)
    {
      guint n_moved = self->n_moved;

      empty_folder (self, self->top_fd, 0);
      if (unlinkat (dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
      if (errno != ENOTEMPTY || (self->failed && self->n_moved == n_moved))
        break;
    }
  note_failure (self, "delete folder", dir_fd, name);
}

/**
 * pv_tree_remove_at:
 * @dir_fd: an open folder
 * @name: (type filename): one name in it; it is no error if there is no such thing
 *
 * Deletes @name and all that is in it, however deep, also what has lost its permissions, and btrfs
 * subvolumes (except before Linux 5.8, as long as they cannot be told from mounts).  Links are
 * deleted, not followed; what is mounted there is not touched, and is an error.  After an error the
 * rest is deleted all the same.  Others may delete the same tree meanwhile.
 */
gboolean
pv_tree_remove_at (int dir_fd, const char *name, GError **error)
{
  Removal removal = { .top_fd = -1, .error = error };
  pv_autofd top_fd = -1;

  guint64 mount_id;

  if (unlinkat (dir_fd, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  if (errno != EISDIR)
    return set_error_at (error, errno, "delete", dir_fd, name);
  top_fd = open_to_empty (dir_fd, name);
  if (top_fd < 0)
    return errno == ENOENT || set_error_at (error, errno, "open folder", dir_fd, name);
  if (!get_mount_id (dir_fd, &removal.mount_id) || !get_mount_id (top_fd, &mount_id))
    return set_error_at (error, errno, "look at", dir_fd, name);
  if (mount_id != removal.mount_id)
    return set_error_at (error, EXDEV, "delete", dir_fd, name);
  if (pv_subvolume_delete (dir_fd, name, top_fd))
    return TRUE;

  allow_to_empty (top_fd);
  removal.top_fd = top_fd;
  remove_top (&removal, dir_fd, name);
  return !removal.failed;
}
