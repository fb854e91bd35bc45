/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
entry_free (gpointer data)
{
  PvEntry *entry = data;

  g_free (entry->name);
  g_free (entry->target);
  g_free (entry);
}

static int
entry_compare (gconstpointer a, gconstpointer b)
{
  const PvEntry *const *left = a;
  const PvEntry *const *right = b;

  return strcmp ((*left)->name, (*right)->name);
}

/**
 * pv_dir_read_link:
 * @dir_fd: an open folder
 * @name: (type filename): relative to it
 *
 * Returns: (transfer full) (nullable): the target of the link, or %NULL with `errno` set
 */
char *
pv_dir_read_link (int dir_fd, const char *name)
{
  char buffer[PATH_MAX];
  ssize_t length = readlinkat (dir_fd, name, buffer, sizeof buffer);

  if (length < 0)
    return NULL;
  if ((gsize) length == sizeof buffer)
    {
      errno = ENAMETOOLONG;
      return NULL;
    }
  return g_strndup (buffer, (gsize) length);
}

static unsigned char
entry_type (int dir_fd, const struct dirent *item)
{
  struct stat st;

  if (item->d_type != DT_UNKNOWN)
    return item->d_type;
  if (fstatat (dir_fd, item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return DT_UNKNOWN;
  return IFTODT (st.st_mode);
}

/**
 * pv_dir_list:
 * @dir_fd: an open folder, `O_PATH` or not; it is not closed
 *
 * Returns: (transfer container) (element-type PvEntry): what is in it, sorted by name as bytes,
 *  without `.` and `..`; or %NULL with @error set
 */
GPtrArray *
pv_dir_list (int dir_fd, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (entry_free);
  int read_fd = openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = read_fd < 0 ? NULL : fdopendir (read_fd);
  struct dirent *item;

  if (dir == NULL)
    {
      int saved_errno = errno;
      g_autofree char *path = pv_fd_get_path (dir_fd);

      pv_error_set_errno (error, saved_errno, "Cannot read folder \"%s\"", path);
      pv_fd_clear (&read_fd);
      return NULL;
    }

  while ((item = readdir (dir)) != NULL)
    {
      unsigned char type;
      PvEntry *entry;

      if (strcmp (item->d_name, ".") == 0 || strcmp (item->d_name, "..") == 0)
        continue;

      type = entry_type (dir_fd, item);
      entry = g_new0 (PvEntry, 1);
      entry->name = g_strdup (item->d_name);
      entry->is_dir = type == DT_DIR;
      if (type == DT_LNK)
        entry->target = pv_dir_read_link (dir_fd, item->d_name);
      g_ptr_array_add (entries, entry);
    }
  closedir (dir);

  g_ptr_array_sort (entries, entry_compare);
  return g_steal_pointer (&entries);
}
