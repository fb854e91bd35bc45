/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/path.h"

#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The kernel's own limit, path_resolution(7). */
#define MAX_LINKS 40

static void
link_free (gpointer data)
{
  PvHostLink *link = data;

  g_free (link->path);
  g_free (link->target);
  g_free (link);
}

static PvHostPath *
path_new (const char *asked, char *real, GPtrArray *links, int fd)
{
  PvHostPath *self = g_new0 (PvHostPath, 1);

  self->asked = g_strdup (asked);
  self->real = real;
  self->links = links;
  self->fd = fd;
  return self;
}

void
pv_host_path_free (PvHostPath *path)
{
  if (path == NULL)
    return;
  pv_fd_clear (&path->fd);
  g_ptr_array_unref (path->links);
  g_free (path->real);
  g_free (path->asked);
  g_free (path);
}

/* Puts the components of @path in front of those that are still to be walked. */
static void
push_components (GQueue *pending, const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);

  for (guint i = g_strv_length (parts); i > 0; i--)
    {
      if (parts[i - 1][0] != '\0' && strcmp (parts[i - 1], ".") != 0)
        g_queue_push_head (pending, g_strdup (parts[i - 1]));
    }
}

static void
leave_folder (GString *real)
{
  char *slash = strrchr (real->str, '/');

  if (slash != NULL)
    g_string_truncate (real, (gsize) (slash - real->str));
}

static void
record_link (GPtrArray *links, const char *path, const char *target)
{
  PvHostLink *link = g_new0 (PvHostLink, 1);

  link->path = g_strdup (path);
  link->target = g_strdup (target);
  g_ptr_array_add (links, link);
}

/* Walks @path component by component.  Returns: its real path, or %NULL with errno set */
static char *
walk (const char *path, GPtrArray *links)
{
  g_autoptr (GString) real = g_string_new ("");
  GQueue pending = G_QUEUE_INIT;
  char *next;

  push_components (&pending, path);
  while (links->len <= MAX_LINKS && (next = g_queue_pop_head (&pending)) != NULL)
    {
      g_autofree char *component = next;
      g_autofree char *target = NULL;
      gsize parent_length = real->len;

      if (strcmp (component, "..") == 0)
        {
          leave_folder (real);
          continue;
        }
      g_string_append_printf (real, "/%s", component);
      target = pv_dir_read_link (AT_FDCWD, real->str);
      if (target == NULL)
        continue;

      record_link (links, real->str, target);
      g_string_truncate (real, target[0] == '/' ? 0 : parent_length);
      push_components (&pending, target);
    }
  g_queue_clear_full (&pending, g_free);

  if (links->len > MAX_LINKS)
    {
      errno = ELOOP;
      return NULL;
    }
  if (real->len == 0)
    g_string_append_c (real, '/');
  return g_string_free (g_steal_pointer (&real), FALSE);
}

/* A component that only begins with a dot is as good as any. */
static gboolean
is_normal (const char *path)
{
  return path[0] == '/' && strstr (path, "//") == NULL && strstr (path, "/./") == NULL
         && strstr (path, "/../") == NULL && !g_str_has_suffix (path, "/.")
         && !g_str_has_suffix (path, "/..") && (path[1] == '\0' || !g_str_has_suffix (path, "/"));
}

/**
 * pv_host_path_open:
 * @path: (type filename): absolute
 *
 * Resolves @path and opens what it leads to.  The links on the way are remembered, so that they
 * can be repeated in a container.
 *
 * Returns: (transfer full): the path, or %NULL with @error set
 */
PvHostPath *
pv_host_path_open (const char *path, GError **error)
{
  g_autoptr (GPtrArray) links = g_ptr_array_new_with_free_func (link_free);
  g_autofree char *real = NULL;
  pv_autofd fd = -1;

  if (path[0] != '/')
    {
      pv_error_set (error, PV_ERROR_USAGE, "Cannot use \"%s\": not an absolute path", path);
      return NULL;
    }

  /* Nearly always there is no link, and one system call says so. */
  if (is_normal (path))
    fd = pv_openat2 (AT_FDCWD, path, O_PATH, 0, PV_RESOLVE_NO_LINKS);
  if (fd >= 0)
    return path_new (path, g_strdup (path), g_steal_pointer (&links), pv_fd_steal (&fd));

  real = walk (path, links);
  if (real != NULL)
    fd = pv_openat2 (AT_FDCWD, real, O_PATH, 0, PV_RESOLVE_NO_LINKS);
  if (fd < 0)
    {
      pv_error_set_errno (error, errno, "Cannot open \"%s\"", path);
      return NULL;
    }
  return path_new (path, g_steal_pointer (&real), g_steal_pointer (&links), pv_fd_steal (&fd));
}
