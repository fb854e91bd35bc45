/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/file-copy.h"

#include "base/fd.h"
#include "base/log.h"
#include "copy/attributes.h"
#include "copy/file-data.h"
#include "copy/file-error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* It may have become a FIFO, which must not make anybody wait. */
static int
open_source (int dir_fd, const char *name)
{
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int fd = openat (dir_fd, name, flags | O_NOATIME);

  return fd < 0 && errno == EPERM ? openat (dir_fd, name, flags) : fd;
}

static gboolean
cannot_clone (int saved_errno)
{
  return saved_errno == EOPNOTSUPP || saved_errno == EXDEV || saved_errno == EINVAL
         || saved_errno == ENOTTY || saved_errno == ENOSYS;
}

static gboolean
is_about_dest (int saved_errno)
{
  return saved_errno == ENOSPC || saved_errno == EDQUOT || saved_errno == EROFS
         || saved_errno == EFBIG;
}

static gboolean
copy_data (PvFileCopy *self, int source_fd, const struct stat *st, int dest_fd, GError **error)
{
  if (st->st_size == 0)
    return TRUE;
  if (self->kind == PV_TREE_COPY_REFLINK)
    {
      if (pv_file_data_clone (source_fd, dest_fd))
        return TRUE;
      if (cannot_clone (errno))
        return pv_file_error_set_unsupported (error, errno, "clone", source_fd, NULL);
      if (is_about_dest (errno))
        return pv_file_error_set (error, errno, "write", dest_fd, NULL);
      return pv_file_error_set (error, errno, "clone", source_fd, NULL);
    }
  if (pv_file_data_copy (source_fd, st, dest_fd, &self->method))
    return TRUE;
  if (is_about_dest (errno))
    return pv_file_error_set (error, errno, "write", dest_fd, NULL);
  return pv_file_error_set (error, errno, "copy", source_fd, NULL);
}

static gboolean
make_regular (PvFileCopy *self, int source_fd, const struct stat *st, int dest_dir,
              const char *name, GError **error)
{
  int dest_fd = openat (dest_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  gboolean copied;

  if (dest_fd < 0)
    return pv_file_error_set (error, errno, "create", dest_dir, name);
  copied = copy_data (self, source_fd, st, dest_fd, error)
           && pv_attributes_copy (source_fd, st, dest_fd, error);
  /* Over a network, this may be when it shows that there is no space. */
  if (close (dest_fd) < 0 && errno != EINTR && copied)
    return pv_file_error_set (error, errno, "write", dest_dir, name);
  return copied;
}

static gboolean
make_link (const PvFolderFds *fds, const char *name, GError **error)
{
  char target[PATH_MAX];
  ssize_t length = readlinkat (fds->source, name, target, sizeof target - 1);

  if (length < 0 && errno == EINVAL)
    return pv_file_error_set_changed (error, fds->source, name);
  if (length < 0)
    return pv_file_error_set (error, errno, "read link", fds->source, name);
  target[length] = '\0';
  return symlinkat (target, fds->dest, name) == 0
         || pv_file_error_set (error, errno, "create link", fds->dest, name);
}

/* Only root can make a device, and some filesystems have no special files at all. */
static gboolean
make_special (const PvFolderFds *fds, const struct stat *st, const char *name, gboolean *ret_made,
              GError **error)
{
  *ret_made = mknodat (fds->dest, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) == 0;
  if (*ret_made)
    return TRUE;
  if (errno != EPERM && errno != EOPNOTSUPP)
    return pv_file_error_set (error, errno, "create", fds->dest, name);
  pv_debug ("Cannot create special file \"%s\": %s, ignoring", name, g_strerror (errno));
  return TRUE;
}

/* @source_fd: -1 but for regular files
 * @ret_made: (out): whether there is a complete copy now */
static gboolean
make (PvFileCopy *self, int source_fd, const struct stat *st, const PvFolderFds *fds,
      const char *name, gboolean *ret_made, GError **error)
{
  gboolean ok;

  if (S_ISREG (st->st_mode))
    return *ret_made = make_regular (self, source_fd, st, fds->dest, name, error);

  *ret_made = TRUE;
  ok = S_ISLNK (st->st_mode) ? make_link (fds, name, error)
                             : make_special (fds, st, name, ret_made, error);
  if (ok && *ret_made)
    ok = pv_attributes_copy_at (fds->source, st, fds->dest, name, error);
  *ret_made = *ret_made && ok;
  return ok;
}

/* @source_fd: -1 but for regular files */
static gboolean
make_or_link (PvFileCopy *self, int source_fd, const struct stat *st, const PvFolder *folder,
              const PvFolderFds *fds, const char *name, GError **error)
{
  g_autofree char *path = NULL;
  gboolean made, ok;

  if (st->st_nlink <= 1)
    return make (self, source_fd, st, fds, name, &made, error);
  if (pv_hard_links_link (self->links, st, fds->dest, name))
    return TRUE;
  ok = make (self, source_fd, st, fds, name, &made, error);
  path = made ? pv_folder_get_path (folder, name) : NULL;
  pv_hard_links_set (self->links, st, path);
  return ok;
}

static gboolean
leave_out (PvFileCopy *self, const PvFolder *folder, const PvFolderFds *fds, const char *name,
           int saved_errno, GError **error)
{
  return pv_unreadable_add (self->unreadable, saved_errno, folder, fds, name)
         || pv_file_error_set (error, saved_errno, "open", fds->source, name);
}

static gboolean
copy (PvFileCopy *self, const PvFolder *folder, const PvFolderFds *fds, const PvName *name,
      GError **error)
{
  pv_autofd source_fd = -1;
  struct stat st;

  if (name->type == DT_REG)
    {
      source_fd = open_source (fds->source, name->name);
      if (source_fd < 0 && errno == ELOOP)
        return pv_file_error_set_changed (error, fds->source, name->name);
      if (source_fd < 0 || fstat (source_fd, &st) < 0)
        return leave_out (self, folder, fds, name->name, errno, error);
    }
  else if (fstatat (fds->source, name->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    {
      return pv_file_error_set (error, errno, "look at", fds->source, name->name);
    }
  if (IFTODT (st.st_mode) != name->type)
    return pv_file_error_set_changed (error, fds->source, name->name);
  return make_or_link (self, source_fd, &st, folder, fds, name->name, error);
}

/* EPERM: it belongs to somebody else, see protected_hardlinks in proc(5), or may not be changed, or
 * there are no hard links on this filesystem. */
static gboolean
cannot_link (int saved_errno)
{
  return saved_errno == EXDEV || saved_errno == EPERM || saved_errno == EOPNOTSUPP
         || saved_errno == ENOSYS;
}

static gboolean
is_folder (int dir_fd, const char *name)
{
  struct stat st;

  return fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

/* Symbolic links too: that takes a third of the time of a new one.  But a FIFO would be shared with
 * those who use other copies. */
static gboolean
is_linked (const PvFileCopy *self, const PvName *name)
{
  return self->kind == PV_TREE_COPY_HARDLINK && (name->type == DT_REG || name->type == DT_LNK);
}

/**
 * pv_file_copy:
 * @folder, @fds: where it is, and where its copy will be
 * @name: what is copied: anything but a folder
 *
 * Copies one file with all its attributes.  A special file that cannot be made is left out, and so
 * is what somebody else forbids to read.
 *
 * Returns: %FALSE with @error set: %PV_ERROR_UNSUPPORTED if this kind of copy cannot be made here
 */
gboolean
pv_file_copy (PvFileCopy *self, const PvFolder *folder, const PvFolderFds *fds, const PvName *name,
              GError **error)
{
  int saved_errno;

  if (!is_linked (self, name))
    return copy (self, folder, fds, name, error);
  if (linkat (fds->source, name->name, fds->dest, name->name, 0) == 0)
    return TRUE;
  saved_errno = errno;
  if (is_folder (fds->source, name->name))
    return pv_file_error_set_changed (error, fds->source, name->name);
  /* The link of somebody else may be read, and the file with too many names copied. */
  if (saved_errno == EMLINK || (saved_errno == EPERM && name->type == DT_LNK))
    return copy (self, folder, fds, name, error);
  if (cannot_link (saved_errno))
    return pv_file_error_set_unsupported (error, saved_errno, "link", fds->source, name->name);
  return pv_file_error_set (error, saved_errno, "create", fds->dest, name->name);
}
