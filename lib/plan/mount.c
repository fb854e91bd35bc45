/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/mount.h"

#include <string.h>

static void
mount_free (gpointer data)
{
  PvMount *mount = data;

  g_free (mount->dest);
  g_free (mount->source);
  g_free (mount->sub);
  g_free (mount->lower_source);
  g_free (mount->lower_sub);
  g_clear_pointer (&mount->data, g_bytes_unref);
  g_free (mount);
}

/**
 * pv_mounts_new:
 *
 * Returns: (transfer full) (element-type PvMount): an empty list; what is later in it is put on top
 *  of what is earlier
 */
GPtrArray *
pv_mounts_new (void)
{
  return g_ptr_array_new_full (256, mount_free);
}

static PvMount *
add (GPtrArray *mounts, PvMountKind kind, const char *dest, const char *reason)
{
  PvMount *mount = g_new0 (PvMount, 1);

  mount->kind = kind;
  mount->dest = g_strdup (dest);
  mount->fd = mount->lower_fd = -1;
  mount->reason = reason;
  g_ptr_array_add (mounts, mount);
  return mount;
}

/**
 * pv_mounts_bind:
 * @kind: one of the binds
 * @source: (type filename): the path, for messages
 * @fd: (transfer none): the folder or file; must stay open as long as @mounts is used; -1: @source
 * @sub: (type filename) (nullable): below @fd
 * @dest: (type filename): where it appears
 * @reason: (transfer none): a literal
 */
void
pv_mounts_bind (GPtrArray *mounts, PvMountKind kind, const char *source, int fd, const char *sub,
                const char *dest, const char *reason)
{
  PvMount *mount = add (mounts, kind, dest, reason);

  mount->source = sub != NULL ? g_build_filename (source, sub, NULL) : g_strdup (source);
  mount->fd = fd;
  mount->sub = g_strdup (sub);
}

/**
 * pv_mounts_layer:
 *
 * What was added last lies in an overlay that is not there yet.
 */
void
pv_mounts_layer (GPtrArray *mounts)
{
  PvMount *mount = g_ptr_array_index (mounts, mounts->len - 1);

  mount->layered = TRUE;
}

/**
 * pv_mounts_overlay:
 * @kind: one of the overlays
 * @lower_source: (type filename): the lower layer, for messages
 * @lower_fd: (transfer none): the same
 * @lower_sub: (type filename) (nullable): below it
 *
 * What was added last, as a bind, becomes the upper layer of an overlay.
 */
void
pv_mounts_overlay (GPtrArray *mounts, PvMountKind kind, const char *lower_source, int lower_fd,
                   const char *lower_sub)
{
  PvMount *mount = g_ptr_array_index (mounts, mounts->len - 1);

  mount->kind = kind;
  mount->layered = TRUE;
  mount->lower_source = lower_sub != NULL ? g_build_filename (lower_source, lower_sub, NULL)
                                          : g_strdup (lower_source);
  mount->lower_fd = lower_fd;
  mount->lower_sub = g_strdup (lower_sub);
}

void
pv_mounts_make (GPtrArray *mounts, PvMountKind kind, const char *dest, guint mode,
                const char *reason)
{
  add (mounts, kind, dest, reason)->mode = mode;
}

void
pv_mounts_link (GPtrArray *mounts, const char *target, const char *dest, const char *reason)
{
  add (mounts, PV_MOUNT_LINK, dest, reason)->source = g_strdup (target);
}

/**
 * pv_mounts_file:
 * @data: (transfer none): the contents
 * @origin: (type filename) (nullable): the host's file that has just these contents
 */
void
pv_mounts_file (GPtrArray *mounts, GBytes *data, const char *origin, const char *dest,
                const char *reason)
{
  PvMount *mount = add (mounts, PV_MOUNT_FILE, dest, reason);

  mount->data = g_bytes_ref (data);
  mount->source = g_strdup (origin);
  mount->mode = 0644;
}

/**
 * pv_mounts_replace:
 * @first: an index
 *
 * The links and files from @first on replace what is at their place.
 */
void
pv_mounts_replace (GPtrArray *mounts, guint first)
{
  for (guint i = first; i < mounts->len; i++)
    {
      PvMount *mount = g_ptr_array_index (mounts, i);

      mount->replaces = mount->kind == PV_MOUNT_LINK || mount->kind == PV_MOUNT_FILE;
    }
}

/* The folders that lead to @dest and that nothing has made so far. */
static void
add_missing_parents (GPtrArray *out, GHashTable *there, const char *dest)
{
  for (const char *slash = strchr (dest + 1, '/'); slash != NULL; slash = strchr (slash + 1, '/'))
    {
      g_autofree char *parent = g_strndup (dest, (gsize) (slash - dest));

      if (g_hash_table_contains (there, parent))
        {
          /* What lies below a mount is there, or is not ours to make. */
          if (g_hash_table_lookup (there, parent) != NULL)
            return;
          continue;
        }
      add (out, PV_MOUNT_FOLDER, parent, "leads to others")->mode = 0755;
      g_hash_table_insert (there, g_steal_pointer (&parent), NULL);
    }
}

/**
 * pv_mounts_add_parents:
 * @mounts: (element-type PvMount): a list
 *
 * Bubblewrap makes the folders that lead to something with mode 0700, as if they were secret.
 *
 * Returns: (transfer full) (element-type PvMount): the same, with a folder of mode 0755 in front of
 *  whatever needs it; takes the elements of @mounts over
 */
GPtrArray *
pv_mounts_add_parents (GPtrArray *mounts)
{
  GPtrArray *out = pv_mounts_new ();
  g_autoptr (GHashTable) there = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < mounts->len; i++)
    {
      PvMount *mount = g_ptr_array_index (mounts, i);
      gpointer is_mount = GINT_TO_POINTER (pv_mount_is_real (mount));

      add_missing_parents (out, there, mount->dest);
      g_hash_table_insert (there, g_strdup (mount->dest), is_mount);
      g_ptr_array_add (out, mount);
    }
  g_ptr_array_set_free_func (mounts, NULL);
  g_ptr_array_set_size (mounts, 0);
  return out;
}

/**
 * pv_mount_is_bind:
 *
 * Returns: whether something of the host appears at another place
 */
gboolean
pv_mount_is_bind (const PvMount *mount)
{
  return mount->kind == PV_MOUNT_BIND || mount->kind == PV_MOUNT_BIND_READ_ONLY
         || mount->kind == PV_MOUNT_BIND_DEVICES;
}

gboolean
pv_mount_is_overlay (const PvMount *mount)
{
  return mount->kind == PV_MOUNT_OVERLAY || mount->kind == PV_MOUNT_OVERLAY_READ_ONLY;
}

/**
 * pv_mount_is_real:
 *
 * Returns: whether it costs a mount; links, folders and files do not
 */
gboolean
pv_mount_is_real (const PvMount *mount)
{
  return pv_mount_is_bind (mount) || pv_mount_is_overlay (mount) || mount->kind == PV_MOUNT_PROC
         || mount->kind == PV_MOUNT_TMPFS;
}

/**
 * pv_mount_kind_to_option:
 *
 * Returns: bubblewrap's option for @kind, without the dashes: also what it is called in messages
 */
const char *
pv_mount_kind_to_option (PvMountKind kind)
{
  switch (kind)
    {
    case PV_MOUNT_BIND:
      return "bind";
    case PV_MOUNT_BIND_READ_ONLY:
      return "ro-bind";
    case PV_MOUNT_BIND_DEVICES:
      return "dev-bind";
    case PV_MOUNT_OVERLAY:
      return "overlay";
    case PV_MOUNT_OVERLAY_READ_ONLY:
      return "ro-overlay";
    case PV_MOUNT_PROC:
      return "proc";
    case PV_MOUNT_TMPFS:
      return "tmpfs";
    case PV_MOUNT_FOLDER:
      return "dir";
    case PV_MOUNT_LINK:
      return "symlink";
    case PV_MOUNT_FILE:
    default:
      return "file";
    }
}
