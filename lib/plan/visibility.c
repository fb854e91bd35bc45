/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of the host a program will see, and where: a look into a plan. */
#include "plan/visibility.h"

#include "plan/reserved.h"

#include <string.h>

/* As the kernel's limit. */
#define MAX_LINKS 40

void
pv_visibility_free (PvVisibility *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->links);
  g_free (self->path);
  g_free (self->host_path);
  g_free (self);
}

/* Returns: (type filename): what is below @dest in @path, put below @source */
static char *
rebase (const char *path, const char *dest, const char *source)
{
  const char *rest = path + (strcmp (dest, "/") == 0 ? 0 : strlen (dest));

  return g_canonicalize_filename (rest + strspn (rest, "/"), source);
}

/* Later mounts hide what is below them. */
static const PvMount *
find_mount (const GPtrArray *mounts, const char *path)
{
  const PvMount *found = NULL;

  for (guint i = 0; i < mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (mounts, i);

      if (pv_mount_is_real (mount) && pv_path_is_at_or_below (path, mount->dest))
        found = mount;
    }
  return found;
}

static gboolean
is_node (const PvMount *mount)
{
  return mount->kind == PV_MOUNT_LINK || mount->kind == PV_MOUNT_FILE
         || mount->kind == PV_MOUNT_FOLDER;
}

/* Nodes are made when everything is mounted.  Returns: (nullable): the first link on the way, or
 * what else was made just there */
static const PvMount *
find_node (const GPtrArray *mounts, const char *path, const PvMount *mount)
{
  const PvMount *found = NULL;

  for (guint i = 0; i < mounts->len; i++)
    {
      const PvMount *node = g_ptr_array_index (mounts, i);
      gboolean is_there = node->kind == PV_MOUNT_LINK ? pv_path_is_at_or_below (path, node->dest)
                                                      : strcmp (path, node->dest) == 0;

      if (!is_node (node) || !is_there
          || (mount != NULL && strlen (node->dest) <= strlen (mount->dest)))
        continue;
      if (found == NULL || strlen (node->dest) < strlen (found->dest))
        found = node;
    }
  return found;
}

static char *
follow (const PvMount *link, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (link->dest);
  g_autofree char *target = g_canonicalize_filename (link->source, folder);

  return rebase (path, link->dest, target);
}

/**
 * pv_visibility_find:
 * @mounts: (element-type PvMount): of a plan
 * @path: (type filename): in the container; absolute, normal
 *
 * Returns: (transfer full): what is there, as far as the plan knows; it borrows from @mounts
 */
PvVisibility *
pv_visibility_find (const GPtrArray *mounts, const char *path)
{
  PvVisibility *self = g_new0 (PvVisibility, 1);
  const PvMount *node;

  self->links = g_ptr_array_new ();
  self->path = g_strdup (path);
  while (self->mount = find_mount (mounts, self->path),
         (node = find_node (mounts, self->path, self->mount)) != NULL && node->kind == PV_MOUNT_LINK
             && self->links->len < MAX_LINKS)
    {
      char *next = follow (node, self->path);

      g_ptr_array_add (self->links, (gpointer) node);
      g_free (self->path);
      self->path = next;
    }
  if (node != NULL)
    self->mount = node;
  else if (self->mount != NULL && pv_mount_is_bind (self->mount))
    self->host_path = rebase (self->path, self->mount->dest, self->mount->source);
  return self;
}

/**
 * pv_visibility_list_places:
 * @host_path: (type filename): of something on the host; absolute, normal
 *
 * Returns: (transfer full) (element-type filename): where it would be seen in the container, if no
 *  other mount hid it
 */
GPtrArray *
pv_visibility_list_places (const GPtrArray *mounts, const char *host_path)
{
  GPtrArray *places = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (mounts, i);

      if (pv_mount_is_bind (mount) && pv_path_is_at_or_below (host_path, mount->source))
        g_ptr_array_add (places, rebase (host_path, mount->source, mount->dest));
    }
  return places;
}
