/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/names.h"

#include "copy/file-error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BUFFER_SIZE 32768
#define CHUNK_SIZE 1024

void
pv_names_free (PvNames *names)
{
  if (names == NULL)
    return;
  g_string_chunk_free (names->chunk);
  g_array_unref (names->folders);
  g_array_unref (names->others);
  g_free (names);
}

static gboolean
is_excluded (const char *name, const GPtrArray *excluded)
{
  if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return TRUE;
  for (guint i = 0; excluded != NULL && i < excluded->len; i++)
    {
      if (strcmp (name, excluded->pdata[i]) == 0)
        return TRUE;
    }
  return FALSE;
}

static unsigned char
get_type (int fd, const struct dirent64 *item)
{
  struct stat st;

  if (item->d_type != DT_UNKNOWN)
    return item->d_type;
  if (fstatat (fd, item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return DT_UNKNOWN;
  return IFTODT (st.st_mode);
}

static void
add (PvNames *self, int fd, const struct dirent64 *item)
{
  PvName name = { .type = get_type (fd, item) };

  /* It has gone since. */
  if (name.type == DT_UNKNOWN)
    return;
  name.name = g_string_chunk_insert (self->chunk, item->d_name);
  g_array_append_val (name.type == DT_DIR ? self->folders : self->others, name);
}

/**
 * pv_names_read:
 * @fd: a folder, open for reading, from which nothing was read; its offset is changed.  Nothing is
 *  opened, so that no access time changes where @fd has `O_NOATIME`
 * @excluded: (nullable) (element-type filename): names that are left out
 *
 * Returns: (transfer full): what is in the folder, or %NULL with @error set
 */
PvNames *
pv_names_read (int fd, const GPtrArray *excluded, GError **error)
{
  g_autoptr (PvNames) self = g_new0 (PvNames, 1);
  union
  {
    struct dirent64 align;
    char bytes[BUFFER_SIZE];
  } buffer;
  ssize_t length;

  self->chunk = g_string_chunk_new (CHUNK_SIZE);
  self->folders = g_array_new (FALSE, FALSE, sizeof (PvName));
  self->others = g_array_new (FALSE, FALSE, sizeof (PvName));
  while ((length = getdents64 (fd, &buffer, sizeof buffer)) > 0)
    {
      for (ssize_t i = 0; i < length;)
        {
          const struct dirent64 *item = (const struct dirent64 *) (const void *) &buffer.bytes[i];

          if (!is_excluded (item->d_name, excluded))
            add (self, fd, item);
          i += item->d_reclen;
        }
    }
  if (length < 0)
    {
      pv_file_error_set (error, errno, "read folder", fd, NULL);
      return NULL;
    }
  return g_steal_pointer (&self);
}
