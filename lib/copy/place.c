/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/place.h"

#include "base/fd.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static gboolean
is_octal (char c)
{
  return c >= '0' && c <= '7';
}

/* `\040` and its like stand for blanks, tabs, newlines and backslashes. */
static char *
unescape (const char *text, gsize length)
{
  GString *out = g_string_sized_new (length);

  for (gsize i = 0; i < length; i++)
    {
      if (text[i] == '\\' && i + 3 < length && is_octal (text[i + 1]) && is_octal (text[i + 2])
          && is_octal (text[i + 3]))
        {
          g_string_append_c (out, (char) ((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8
                                          + (text[i + 3] - '0')));
          i += 3;
        }
      else
        {
          g_string_append_c (out, text[i]);
        }
    }
  return g_string_free (out, FALSE);
}

/**
 * pv_mount_line_parse:
 * @text: a line, and what follows it
 *
 * Returns: whether it is such a line
 */
gboolean
pv_mount_line_parse (const char *text, PvMountLine *ret_line)
{
  unsigned int device_major, device_minor;
  unsigned long long id;
  const char *root, *point;
  gsize root_length, point_length;
  int consumed = 0;

  if (sscanf (text, "%llu %*u %u:%u %n", &id, &device_major, &device_minor, &consumed) != 3
      || consumed == 0)
    return FALSE;
  root = text + consumed;
  root_length = strcspn (root, " \n");
  if (root[0] != '/' || root[root_length] != ' ')
    return FALSE;
  point = root + root_length + 1;
  point_length = strcspn (point, " \n");
  if (point[0] != '/' || point[point_length] != ' ')
    return FALSE;

  ret_line->id = id;
  ret_line->device = makedev (device_major, device_minor);
  ret_line->root = unescape (root, root_length);
  ret_line->point = unescape (point, point_length);
  return TRUE;
}

void
pv_mount_line_clear (PvMountLine *line)
{
  g_clear_pointer (&line->root, g_free);
  g_clear_pointer (&line->point, g_free);
}

void
pv_place_free (PvPlace *self)
{
  if (self == NULL)
    return;
  g_free (self->root);
  g_free (self->path);
  g_free (self);
}

/* Returns: (nullable): what follows @folder in @path */
static const char *
below (const char *path, const char *folder)
{
  gsize length = strcmp (folder, "/") == 0 ? 0 : strlen (folder);

  if (strncmp (path, folder, length) != 0 || (path[length] != '/' && path[length] != '\0'))
    return NULL;
  return path + length;
}

static char *
join (const char *folder, const char *rest)
{
  if (strcmp (folder, "/") == 0)
    return g_strdup (rest[0] == '\0' ? "/" : rest);
  return g_strconcat (folder, strcmp (rest, "/") == 0 ? "" : rest, NULL);
}

/**
 * pv_place_find:
 * @mountinfo: this process's
 * @mount_id: of the mount in which the folder is
 * @path: (type filename): the folder, as `/proc/self/fd` has it
 *
 * Returns: (transfer full): where it is; without device and root if the mount is not among those
 *  that the process sees, as in a chroot(2)
 */
PvPlace *
pv_place_find (const char *mountinfo, guint64 mount_id, const char *path)
{
  PvPlace *self = g_new0 (PvPlace, 1);

  self->path = g_strdup (path);
  for (const char *text = mountinfo; text != NULL && self->root == NULL;)
    {
      g_auto (PvMountLine) line = { 0 };
      const char *rest;

      if (pv_mount_line_parse (text, &line) && line.id == mount_id
          && (rest = below (path, line.point)) != NULL)
        {
          self->device = line.device;
          self->root = join (line.root, rest);
        }
      text = strchr (text, '\n');
      text += text != NULL;
    }
  return self;
}

/**
 * pv_place_of:
 * @fd: an open folder
 *
 * Returns: (transfer full): where it is at this moment
 */
PvPlace *
pv_place_of (int fd)
{
  g_autofree char *info_name = g_strdup_printf ("/proc/self/fdinfo/%d", fd);
  g_autofree char *info = NULL;
  g_autofree char *mountinfo = NULL;
  g_autofree char *path = pv_fd_get_path (fd);
  const char *id = NULL;

  if (g_file_get_contents (info_name, &info, NULL, NULL))
    id = strstr (info, "mnt_id:");
  if (id != NULL)
    g_file_get_contents ("/proc/self/mountinfo", &mountinfo, NULL, NULL);
  return pv_place_find (mountinfo,
                        id != NULL ? g_ascii_strtoull (id + strlen ("mnt_id:"), NULL, 10) : 0,
                        path != NULL ? path : "?");
}

/**
 * pv_place_inside:
 * @name: (type filename): of something in the folder
 *
 * Returns: (transfer full): where that is
 */
PvPlace *
pv_place_inside (const PvPlace *self, const char *name)
{
  g_autofree char *rest = g_strconcat ("/", name, NULL);
  PvPlace *inside = g_new0 (PvPlace, 1);

  inside->device = self->device;
  inside->root = self->root != NULL ? join (self->root, rest) : NULL;
  inside->path = join (self->path, rest);
  return inside;
}
