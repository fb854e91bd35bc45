/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/etc-file.h"

#include "base/dir.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* None of these files is ever that large. */
#define MAX_FILE (1024 * 1024)

/**
 * PvHostFileRule: a file of `/etc` that belongs to the machine and not to the runtime.
 * @follow: it changes while a program runs (another network), and has to be seen as it is then
 */
typedef struct
{
  const char *name;
  gboolean follow;
} PvHostFileRule;

static const PvHostFileRule rules[] = {
  { "host.conf", FALSE }, { "hosts", FALSE },      { "localtime", FALSE },
  { "machine-id", FALSE }, { "resolv.conf", TRUE }, { "timezone", FALSE },
};

static void
file_free (gpointer data)
{
  PvHostFile *file = data;

  g_free (file->name);
  g_clear_pointer (&file->folder, pv_host_path_free);
  g_free (file->real);
  g_clear_pointer (&file->data, g_bytes_unref);
  g_free (file);
}

static GBytes *
read_contents (int etc_fd, const char *name)
{
  pv_autofd fd = pv_openat2 (etc_fd, name, O_RDONLY | O_NONBLOCK, 0, PV_RESOLVE_ANYWHERE);
  gsize length;
  char *text = fd < 0 ? NULL : pv_fd_read_all (fd, MAX_FILE, &length, NULL);

  return text != NULL ? g_bytes_new_take (text, length) : NULL;
}

/* A link.  Returns: %FALSE if it leads nowhere */
static gboolean
fill_from_link (PvHostFile *file, int etc_fd, gboolean follow)
{
  g_autofree char *path = g_strconcat ("/etc/", file->name, NULL);
  g_autoptr (PvHostPath) target = follow ? pv_host_path_open (path, NULL) : NULL;

  if (target != NULL && g_str_has_prefix (target->real, "/etc/"))
    {
      file->real = g_strdup (target->real);
      return TRUE;
    }
  if (target != NULL)
    {
      g_autofree char *folder = g_path_get_dirname (target->real);

      file->folder = pv_host_path_open (folder, NULL);
      file->real = g_strdup (target->real);
    }
  file->data = read_contents (etc_fd, file->name);
  return file->data != NULL;
}

/**
 * pv_host_files_read:
 * @etc_fd: the host's `/etc`
 *
 * Returns: (transfer container) (element-type PvHostFile): the files of `/etc` that belong to the
 *  machine, as far as they exist
 */
GPtrArray *
pv_host_files_read (int etc_fd)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (file_free);

  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    {
      PvHostFile *file;
      struct stat st;

      if (fstatat (etc_fd, rules[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        continue;
      file = g_new0 (PvHostFile, 1);
      file->name = g_strdup (rules[i].name);
      if (S_ISLNK (st.st_mode) && !fill_from_link (file, etc_fd, rules[i].follow))
        file_free (file);
      else
        g_ptr_array_add (files, file);
    }
  return files;
}

/**
 * pv_host_zone_read:
 * @etc_fd: the host's `/etc`
 *
 * Returns: (transfer full) (nullable): the time zone's name, from the text of the link
 *  `/etc/localtime`, as localtime(5) has it
 */
char *
pv_host_zone_read (int etc_fd)
{
  g_autofree char *target = pv_dir_read_link (etc_fd, "localtime");
  const char *zone = target != NULL ? strstr (target, "/zoneinfo/") : NULL;

  if (zone == NULL || strstr (zone, "..") != NULL)
    return NULL;
  return g_strdup (zone + strlen ("/zoneinfo/"));
}
