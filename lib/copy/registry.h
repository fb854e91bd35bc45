/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvRegistered: a folder of mutable copies that somebody has used.
 * @name: (type filename): of the link in the registry
 * @path: (type filename): where it leads
 * @dangling: whether there is nothing any more
 */
typedef struct
{
  char *name;
  char *path;
  gboolean dangling;
} PvRegistered;

char *pv_registry_get_path (char **environment);
void pv_registry_add (const char *registry, const char *path);
GPtrArray *pv_registry_list (const char *registry, GError **error);
gboolean pv_registry_drop (const char *registry, const PvRegistered *entry, GError **error);
