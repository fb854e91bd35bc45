/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/attributes.h"

#include "base/log.h"
#include "copy/file-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BUFFER_SIZE 1024

/* Of a list, and of a value: see xattr(7). */
#define MAX_SIZE 65536

/**
 * Node: a file with extended attributes.
 * @fd: the file, or the folder in which it is
 * @name: (nullable): in that folder: what cannot be opened, a link for instance
 * @path: (nullable): a way to it, since there is no lgetxattrat(); borrowed
 */
typedef struct
{
  int fd;
  const char *name;
  const char *path;
} Node;

static ssize_t
get_xattr (const Node *node, const char *key, char *buffer, gsize size)
{
  if (node->path != NULL)
    return key != NULL ? lgetxattr (node->path, key, buffer, size)
                       : llistxattr (node->path, buffer, size);
  return key != NULL ? fgetxattr (node->fd, key, buffer, size)
                     : flistxattr (node->fd, buffer, size);
}

static int
set_xattr (const Node *node, const char *key, const char *value, gsize size)
{
  return node->path != NULL ? lsetxattr (node->path, key, value, size, 0)
                            : fsetxattr (node->fd, key, value, size, 0);
}

/* Returns: (transfer full) (nullable): the value of @key, or the list of keys if it is %NULL */
static char *
read_xattr (const Node *node, const char *key, gsize *ret_length)
{
  for (gsize size = BUFFER_SIZE;; size = MAX_SIZE)
    {
      g_autofree char *buffer = g_malloc (size);
      ssize_t length = get_xattr (node, key, buffer, size);

      if (length >= 0)
        {
          *ret_length = (gsize) length;
          return g_steal_pointer (&buffer);
        }
      if (errno != ERANGE || size == MAX_SIZE)
        return NULL;
    }
}

static gboolean
copy_xattr (const Node *source, const Node *dest, const char *key, GError **error)
{
  gsize length;
  g_autofree char *value = read_xattr (source, key, &length);
  int saved_errno;

  if (value != NULL && set_xattr (dest, key, value, length) == 0)
    return TRUE;
  saved_errno = errno;
  if (saved_errno == ENODATA)
    return TRUE;
  /* What is not the user's the kernel may refuse, and some filesystems have no such thing. */
  if (saved_errno == EOPNOTSUPP || !g_str_has_prefix (key, "user."))
    {
      pv_debug ("Cannot set \"%s\": %s, ignoring", key, g_strerror (saved_errno));
      return TRUE;
    }
  return pv_file_error_set (error, saved_errno, "copy the extended attributes to", dest->fd,
                            dest->name);
}

static gboolean
copy_xattrs (const Node *source, const Node *dest, GError **error)
{
  gsize length;
  g_autofree char *keys = read_xattr (source, NULL, &length);

  if (keys == NULL)
    return errno == EOPNOTSUPP || errno == ENOENT
           || pv_file_error_set (error, errno, "read the extended attributes of", source->fd,
                                 source->name);
  for (const char *key = keys; key < keys + length; key += strlen (key) + 1)
    {
      if (!copy_xattr (source, dest, key, error))
        return FALSE;
    }
  return TRUE;
}

/* A program that runs as the owner of the file must not run as whoever owns the copy.  For a folder
 * the bit only says to which group new files belong. */
static mode_t
get_mode (const struct stat *st, gboolean same_owner)
{
  mode_t mode = st->st_mode & 07777;

  if (S_ISREG (st->st_mode) && (!same_owner && st->st_uid != geteuid ()))
    mode &= ~(mode_t) S_ISUID;
  if (S_ISREG (st->st_mode) && (!same_owner && st->st_gid != getegid ()))
    mode &= ~(mode_t) S_ISGID;
  return mode;
}

/**
 * pv_attributes_copy:
 * @source_fd: a file or folder, open for reading
 * @st: what fstat(2) says of it
 * @dest_fd: its copy, which has its contents
 *
 * Gives the copy the owner (as root only), extended attributes, mode and times of the source.
 * setuid and setgid of a file are lost where the owner is, `security` and `trusted` attributes
 * where they are refused.  The order matters: chown(2) takes away setuid and `security.capability`,
 * and a file may be read-only by its mode.
 */
gboolean
pv_attributes_copy (int source_fd, const struct stat *st, int dest_fd, GError **error)
{
  const struct timespec times[] = { st->st_atim, st->st_mtim };
  gboolean same_owner = geteuid () == 0 && fchown (dest_fd, st->st_uid, st->st_gid) == 0;

  if (!copy_xattrs (&(Node) { .fd = source_fd }, &(Node) { .fd = dest_fd }, error))
    return FALSE;
  if (fchmod (dest_fd, get_mode (st, same_owner)) < 0)
    return pv_file_error_set (error, errno, "set the mode of", dest_fd, NULL);
  return futimens (dest_fd, times) == 0
         || pv_file_error_set (error, errno, "set the time of", dest_fd, NULL);
}

/**
 * pv_attributes_copy_at:
 * @source_dir, @dest_dir: open folders
 * @st: what fstatat(2) says of @name in @source_dir
 * @name: (type filename): neither a file nor a folder in both, but a link or a special file
 *
 * The same for what cannot be opened without more ado.
 */
gboolean
pv_attributes_copy_at (int source_dir, const struct stat *st, int dest_dir, const char *name,
                       GError **error)
{
  const struct timespec times[] = { st->st_atim, st->st_mtim };
  g_autofree char *source_path = g_strdup_printf ("/proc/self/fd/%d/%s", source_dir, name);
  g_autofree char *dest_path = g_strdup_printf ("/proc/self/fd/%d/%s", dest_dir, name);
  const Node source = { source_dir, name, source_path };
  const Node dest = { dest_dir, name, dest_path };

  if (geteuid () == 0 && fchownat (dest_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    pv_debug ("Cannot set the owner of \"%s\": %s, ignoring", name, g_strerror (errno));
  if (!copy_xattrs (&source, &dest, error))
    return FALSE;
  if (!S_ISLNK (st->st_mode) && fchmodat (dest_dir, name, st->st_mode & 07777, 0) < 0)
    return pv_file_error_set (error, errno, "set the mode of", dest_dir, name);
  return utimensat (dest_dir, name, times, AT_SYMLINK_NOFOLLOW) == 0
         || pv_file_error_set (error, errno, "set the time of", dest_dir, name);
}
