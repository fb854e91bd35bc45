/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/contents.h"

#include "base/dir.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <fcntl.h>

static GPtrArray *
list_folder (const PvRuntime *runtime, const char *name, GError **error)
{
  pv_autofd fd = pv_openat2 (runtime->fd, name, O_PATH | O_DIRECTORY, 0, PV_RESOLVE_IN_ROOT);

  if (fd < 0)
    return g_ptr_array_new ();
  return pv_dir_list (fd, error);
}

static gboolean
add_var (GPtrArray *var, const PvRuntime *runtime, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) entries = list_folder (runtime, folder, error);

  if (entries == NULL)
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = g_ptr_array_index (entries, i);

      g_ptr_array_add (var, g_strconcat (folder, "/", entry->name, NULL));
    }
  return TRUE;
}

static gboolean
has_zone (const PvRuntime *runtime, const char *zone)
{
  const char *usr = runtime->layout == PV_LAYOUT_USR ? "" : "usr/";
  g_autofree char *path = g_strconcat (usr, "share/zoneinfo/", zone, NULL);

  return pv_exists_in_root (runtime->fd, path);
}

/**
 * pv_runtime_contents_read:
 * @runtime: the runtime
 * @zone: (nullable): the host's time zone, such as `Europe/Berlin`
 *
 * Returns: (transfer full): what the plan needs to know, or %NULL with @error set
 */
PvRuntimeContents *
pv_runtime_contents_read (const PvRuntime *runtime, const char *zone, GError **error)
{
  g_autoptr (PvRuntimeContents) self = g_new0 (PvRuntimeContents, 1);

  self->top = pv_dir_list (runtime->fd, error);
  if (self->top == NULL)
    return NULL;
  self->etc = list_folder (runtime, "etc", error);
  if (self->etc == NULL)
    return NULL;
  self->var = g_ptr_array_new_with_free_func (g_free);
  if (!add_var (self->var, runtime, "var/lib", error)
      || !add_var (self->var, runtime, "var/cache", error))
    return NULL;
  self->has_zone = zone != NULL && has_zone (runtime, zone);
  self->shell = pv_exists_in_root (runtime->fd, "bin/bash") ? "/bin/bash" : "/bin/sh";
  return g_steal_pointer (&self);
}

void
pv_runtime_contents_free (PvRuntimeContents *contents)
{
  if (contents == NULL)
    return;
  g_clear_pointer (&contents->top, g_ptr_array_unref);
  g_clear_pointer (&contents->etc, g_ptr_array_unref);
  g_clear_pointer (&contents->var, g_ptr_array_unref);
  g_free (contents);
}
