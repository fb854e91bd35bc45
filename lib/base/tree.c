/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/tree.h"
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

static gboolean remove_entry (int dir_fd, const char *name, dev_t device, GError **error);

/* A folder that its owner may not read, enter or write cannot be emptied. */
static int
open_to_empty (int dir_fd, const char *name, const struct stat *st)
{
  if ((st->st_mode & 0700) != 0700
      && fchmodat (dir_fd, name, (st->st_mode & 07777) | 0700, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  return openat (dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static gboolean
remove_folder (int dir_fd, const char *name, const struct stat *st, GError **error)
{
  pv_autofd fd = open_to_empty (dir_fd, name, st);
  g_autoptr (GPtrArray) entries = NULL;

  if (fd < 0)
    return set_error_at (error, errno, "open folder", dir_fd, name);
  entries = pv_dir_list (fd, error);
  if (entries == NULL)
    return FALSE;

  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];

      if (!remove_entry (fd, entry->name, st->st_dev, error))
        return FALSE;
    }
  if (unlinkat (dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
    return set_error_at (error, errno, "delete folder", dir_fd, name);
  return TRUE;
}

static gboolean
remove_entry (int dir_fd, const char *name, dev_t device, GError **error)
{
  struct stat st;

  if (fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || set_error_at (error, errno, "look at", dir_fd, name);
  if (st.st_dev != device)
    return set_error_at (error, EXDEV, "delete", dir_fd, name);
  if (S_ISDIR (st.st_mode))
    return remove_folder (dir_fd, name, &st, error);
  if (unlinkat (dir_fd, name, 0) < 0 && errno != ENOENT)
    return set_error_at (error, errno, "delete", dir_fd, name);
  return TRUE;
}

/**
 * pv_tree_remove_at:
 * @dir_fd: an open folder
 * @name: (type filename): one name in it; it is no error if there is no such thing
 *
 * Deletes @name and all that is in it.  Links are deleted, not followed; what lies on another
 * filesystem is not touched, and is an error.
 */
gboolean
pv_tree_remove_at (int dir_fd, const char *name, GError **error)
{
  struct stat st;

  if (fstat (dir_fd, &st) < 0)
    return set_error_at (error, errno, "look at", dir_fd, ".");
  return remove_entry (dir_fd, name, st.st_dev, error);
}
