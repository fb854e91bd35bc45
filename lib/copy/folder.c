/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* However deep a tree is, only a few of its folders are open at once: the way back is "..", and
 * must lead to where one came from. */
#include "copy/folder.h"

#include "base/fd.h"
#include "base/openat2.h"
#include "copy/file-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

PvFolderFds *
pv_folder_fds_ref (PvFolderFds *fds)
{
  g_atomic_ref_count_inc (&fds->refs);
  return fds;
}

void
pv_folder_fds_unref (PvFolderFds *fds)
{
  if (fds == NULL || !g_atomic_ref_count_dec (&fds->refs))
    return;
  pv_fd_clear (&fds->source);
  pv_fd_clear (&fds->dest);
  g_free (fds);
}

static PvFolderFds *
fds_new (void)
{
  PvFolderFds *fds = g_new0 (PvFolderFds, 1);

  g_atomic_ref_count_init (&fds->refs);
  fds->source = -1;
  fds->dest = -1;
  return fds;
}

/* What one does not own cannot be read without a trace. */
static int
open_source (int dir_fd, const char *name)
{
  int flags = O_RDONLY | O_DIRECTORY;
  int fd = pv_openat2 (dir_fd, name, flags | O_NOATIME, 0, PV_RESOLVE_NO_MOUNTS);

  if (fd < 0 && errno == EPERM)
    fd = pv_openat2 (dir_fd, name, flags, 0, PV_RESOLVE_NO_MOUNTS);
  return fd;
}

/* What is in a folder that can be read but not entered cannot be copied: one of somebody else is no
 * better than one that cannot be read. */
static gboolean
is_closed (int fd)
{
  struct stat st;

  return faccessat (fd, ".", X_OK, AT_EACCESS) < 0 && errno == EACCES && fstat (fd, &st) == 0
         && st.st_uid != geteuid ();
}

/* The same for what somebody else may have closed. */
static int
open_child (int dir_fd, const char *name)
{
  int fd = open_source (dir_fd, name);

  if (fd >= 0 && is_closed (fd))
    {
      pv_fd_clear (&fd);
      errno = EACCES;
    }
  return fd;
}

/* Takes @source. */
static PvFolderFds *
open_dest_for (int source, int dest_dir, const char *name, GError **error)
{
  g_autoptr (PvFolderFds) fds = fds_new ();

  fds->source = source;
  fds->dest = pv_openat2 (dest_dir, name, O_RDONLY | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);
  if (fds->dest >= 0)
    return g_steal_pointer (&fds);
  pv_file_error_set (error, errno, "open folder", dest_dir, name);
  return NULL;
}

static PvFolderFds *
open_both (int source_dir, int dest_dir, const char *name, GError **error)
{
  int source = open_source (source_dir, name);

  if (source >= 0)
    return open_dest_for (source, dest_dir, name, error);
  pv_file_error_set (error, errno, "open folder", source_dir, name);
  return NULL;
}

/**
 * pv_folder_open_top:
 * @source_fd, @dest_fd: `O_PATH` or not; not closed
 *
 * Returns: (transfer full): both, open for reading, or %NULL with @error set
 */
PvFolderFds *
pv_folder_open_top (int source_fd, int dest_fd, GError **error)
{
  return open_both (source_fd, dest_fd, ".", error);
}

/**
 * pv_folder_open_child:
 * @name: (type filename): in both
 * @ret_errno: (out): why the source cannot be opened: `EXDEV`: something is mounted there;
 *  `EACCES`: it must not be read; otherwise 0
 * @ret_fds: (out) (nullable) (transfer full): that folder; %NULL with @ret_errno
 */
gboolean
pv_folder_open_child (const PvFolderFds *fds, const char *name, int *ret_errno,
                      PvFolderFds **ret_fds, GError **error)
{
  int source = open_child (fds->source, name);

  *ret_fds = NULL;
  *ret_errno = 0;
  if (source < 0 && (errno == ELOOP || errno == ENOTDIR))
    return pv_file_error_set_changed (error, fds->source, name);
  if (source < 0 && errno != EXDEV && errno != EACCES)
    return pv_file_error_set (error, errno, "open folder", fds->source, name);
  if (source < 0)
    {
      *ret_errno = errno;
      return TRUE;
    }
  *ret_fds = open_dest_for (source, fds->dest, name, error);
  return *ret_fds != NULL;
}

static gboolean
is_same (int fd, const struct stat *expected)
{
  struct stat st;

  return fstat (fd, &st) == 0 && st.st_dev == expected->st_dev && st.st_ino == expected->st_ino;
}

/**
 * pv_folder_open_parent:
 * @parent: what `..` must be
 *
 * Returns: (transfer full): that folder, or %NULL with @error set, %PV_ERROR_CHANGED if somebody
 *  has moved a folder
 */
PvFolderFds *
pv_folder_open_parent (const PvFolderFds *fds, const PvFolder *parent, GError **error)
{
  g_autoptr (PvFolderFds) up = open_both (fds->source, fds->dest, "..", error);
  gboolean source_moved;

  if (up == NULL)
    return NULL;
  source_moved = !is_same (up->source, &parent->st);
  if (source_moved || !is_same (up->dest, &parent->dest_st))
    {
      pv_file_error_set_changed (error, source_moved ? fds->source : fds->dest, NULL);
      return NULL;
    }
  return g_steal_pointer (&up);
}

PvFolder *
pv_folder_ref (PvFolder *folder)
{
  g_atomic_ref_count_inc (&folder->refs);
  return folder;
}

/* No recursion: there may be more parents than fit on the stack. */
void
pv_folder_unref (PvFolder *folder)
{
  while (folder != NULL && g_atomic_ref_count_dec (&folder->refs))
    {
      PvFolder *parent = folder->parent;

      g_clear_pointer (&folder->excluded, g_ptr_array_unref);
      pv_names_free (folder->names);
      g_free (folder->name);
      g_free (folder);
      folder = parent;
    }
}

/* Takes @excluded, which is in @self already so that it is freed with it. */
static PvFolder *
complete (PvFolder *folder, const PvFolderFds *fds, GError **error)
{
  g_autoptr (PvFolder) self = folder;

  g_atomic_ref_count_init (&self->refs);
  if (fstat (fds->source, &self->st) < 0)
    {
      pv_file_error_set (error, errno, "look at folder", fds->source, NULL);
      return NULL;
    }
  if (fstat (fds->dest, &self->dest_st) < 0)
    {
      pv_file_error_set (error, errno, "look at folder", fds->dest, NULL);
      return NULL;
    }
  self->names = pv_names_read (fds->source, self->excluded, error);
  return self->names != NULL ? g_steal_pointer (&self) : NULL;
}

/**
 * pv_folder_new_top:
 * @excluded: (nullable) (array zero-terminated=1): paths relative to it; borrowed, as long as the
 *  folder or one below it is there
 *
 * Returns: (transfer full): what there is to copy, or %NULL with @error set
 */
PvFolder *
pv_folder_new_top (const PvFolderFds *fds, const char *const *excluded, GError **error)
{
  PvFolder *self = g_new0 (PvFolder, 1);

  if (excluded != NULL && excluded[0] != NULL)
    {
      self->excluded = g_ptr_array_new ();
      for (gsize i = 0; excluded[i] != NULL; i++)
        g_ptr_array_add (self->excluded, (char *) excluded[i]);
    }
  return complete (self, fds, error);
}

/* Returns: (nullable): what of @excluded lies in the folder @name, relative to that */
static GPtrArray *
get_excluded_below (const GPtrArray *excluded, const char *name)
{
  gsize length = strlen (name);
  GPtrArray *below = NULL;

  for (guint i = 0; excluded != NULL && i < excluded->len; i++)
    {
      char *path = excluded->pdata[i];

      if (strncmp (path, name, length) != 0 || path[length] != '/')
        continue;
      if (below == NULL)
        below = g_ptr_array_new ();
      g_ptr_array_add (below, path + length + 1);
    }
  return below;
}

/**
 * pv_folder_new_child:
 * @name: (type filename): in @parent
 * @fds: that folder
 *
 * Returns: (transfer full): what there is to copy, or %NULL with @error set
 */
PvFolder *
pv_folder_new_child (PvFolder *parent, const char *name, const PvFolderFds *fds, GError **error)
{
  PvFolder *self = g_new0 (PvFolder, 1);

  self->parent = pv_folder_ref (parent);
  self->name = g_strdup (name);
  self->excluded = get_excluded_below (parent->excluded, name);
  return complete (self, fds, error);
}

/**
 * pv_folder_make_folders:
 *
 * Makes the folders that @folder has, but not what they have, in the copy.  They get their
 * attributes later; until then they are the owner's alone.
 */
gboolean
pv_folder_make_folders (const PvFolder *folder, const PvFolderFds *fds, GError **error)
{
  const GArray *folders = folder->names->folders;

  for (guint i = 0; i < folders->len; i++)
    {
      const char *name = g_array_index (folders, PvName, i).name;

      if (mkdirat (fds->dest, name, 0700) < 0 && errno != EEXIST)
        return pv_file_error_set (error, errno, "create folder", fds->dest, name);
    }
  return TRUE;
}

/**
 * pv_folder_get_path:
 * @name: (type filename): in @folder
 *
 * Returns: (transfer full): relative to the topmost folder; any length
 */
char *
pv_folder_get_path (const PvFolder *folder, const char *name)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new ();
  GString *path = g_string_new ("");

  for (; folder->parent != NULL; folder = folder->parent)
    g_ptr_array_add (parts, folder->name);
  for (guint i = parts->len; i > 0; i--)
    g_string_append_printf (path, "%s/", (const char *) parts->pdata[i - 1]);
  g_string_append (path, name);
  return g_string_free (path, FALSE);
}
