/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that have several names: who meets the first one copies it, the others become links to the
 * copy.  They can be met by several threads at once. */
#include "copy/hard-links.h"

#include "base/fd.h"
#include "base/openat2.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/**
 * Source: tells a file from all others, also from one that has got its inode after it was deleted.
 */
typedef struct
{
  guint64 device;
  guint64 inode;
  gint64 size;
  gint64 seconds;
  gint64 nanoseconds;
} Source;

/**
 * PvHardLinks:
 * @top_fd: borrowed
 * @made: (element-type Source filename): a copy's path; empty while somebody makes it
 * @changed: @made has changed
 */
struct PvHardLinks
{
  int top_fd;
  GHashTable *made;
  GMutex mutex;
  GCond changed;
};

static guint
source_hash (gconstpointer key)
{
  const Source *source = key;

  return (guint) (source->inode ^ (source->inode >> 32) ^ source->device);
}

static gboolean
source_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (Source)) == 0;
}

static Source
describe (const struct stat *st)
{
  return (Source) {
    .device = st->st_dev,
    .inode = st->st_ino,
    .size = st->st_size,
    .seconds = st->st_mtim.tv_sec,
    .nanoseconds = st->st_mtim.tv_nsec,
  };
}

/**
 * pv_hard_links_new:
 * @top_fd: the topmost folder of the copy; borrowed
 */
PvHardLinks *
pv_hard_links_new (int top_fd)
{
  PvHardLinks *self = g_new0 (PvHardLinks, 1);

  self->top_fd = top_fd;
  self->made = g_hash_table_new_full (source_hash, source_equal, g_free, g_free);
  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  return self;
}

void
pv_hard_links_free (PvHardLinks *links)
{
  if (links == NULL)
    return;
  g_hash_table_unref (links->made);
  g_mutex_clear (&links->mutex);
  g_cond_clear (&links->changed);
  g_free (links);
}

/* One call takes less than PATH_MAX bytes. */
static int
open_folder_of (int top_fd, const char *path)
{
  pv_autofd fd = fcntl (top_fd, F_DUPFD_CLOEXEC, 3);
  const char *end = strrchr (path, '/');

  while (fd >= 0 && end != NULL && path < end)
    {
      gsize length = MIN ((gsize) (end - path), PATH_MAX - 1);
      g_autofree char *part = NULL;
      int next;

      while (path[length] != '/')
        length--;
      part = g_strndup (path, length);
      next = pv_openat2 (fd, part, O_PATH | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);
      pv_fd_clear (&fd);
      fd = next;
      path += length + 1;
    }
  return pv_fd_steal (&fd);
}

static gboolean
link_to (const PvHardLinks *self, const char *path, int dir_fd, const char *name)
{
  pv_autofd folder = open_folder_of (self->top_fd, path);
  const char *slash = strrchr (path, '/');

  return folder >= 0 && linkat (folder, slash != NULL ? slash + 1 : path, dir_fd, name, 0) == 0;
}

static void
set (PvHardLinks *self, const Source *source, const char *path)
{
  g_hash_table_insert (self->made, g_memdup2 (source, sizeof *source), g_strdup (path));
}

/**
 * pv_hard_links_link:
 * @st: a file of the source that has several names
 * @dir_fd, @name: the copy of one of them, which is not there yet
 *
 * Waits if somebody else is copying the file.
 *
 * Returns: %TRUE if @name is there now, as one more name of the copy; %FALSE if the caller has to
 *  copy the file, and then to call pv_hard_links_set()
 */
gboolean
pv_hard_links_link (PvHardLinks *links, const struct stat *st, int dir_fd, const char *name)
{
  const Source source = describe (st);
  g_autofree char *path = NULL;
  const char *made;

  g_mutex_lock (&links->mutex);
  while ((made = g_hash_table_lookup (links->made, &source)) != NULL && made[0] == '\0')
    g_cond_wait (&links->changed, &links->mutex);
  path = g_strdup (made);
  if (made == NULL)
    set (links, &source, "");
  g_mutex_unlock (&links->mutex);

  if (path == NULL || link_to (links, path, dir_fd, name))
    return path != NULL;

  /* Nothing more may be linked to that copy: the file is copied once more, and the next ones become
   * links to that, or to what another thread has made for the same reason. */
  g_mutex_lock (&links->mutex);
  set (links, &source, "");
  g_mutex_unlock (&links->mutex);
  return FALSE;
}

/**
 * pv_hard_links_set:
 * @path: (type filename) (nullable): where the copy is, relative to the topmost folder; %NULL if it
 *  was not made
 */
void
pv_hard_links_set (PvHardLinks *links, const struct stat *st, const char *path)
{
  const Source source = describe (st);

  g_mutex_lock (&links->mutex);
  if (path != NULL)
    set (links, &source, path);
  else
    g_hash_table_remove (links->made, &source);
  g_cond_broadcast (&links->changed);
  g_mutex_unlock (&links->mutex);
}
