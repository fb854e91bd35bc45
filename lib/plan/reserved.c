/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/reserved.h"

#include <string.h>

/* What the container makes itself: nothing of the host may be put at, above or below these. */
static const char *const reserved[] = {
  "/.flatpak-info",
  "/.ref",
  "/.runtime",
  "/app",
  "/bin",
  "/dev",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/overrides",
  "/proc",
  "/run/flatpak",
  "/run/gfx",
  "/run/host",
  "/run/interpreter-host",
  "/run/parent",
  "/run/pressure-vessel",
  "/run/pv-launch",
  "/sbin",
  "/sys",
  "/usr",
  "/var/cache/ldconfig",
  "/var/lib/dbus",
  "/var/pressure-vessel",
  "/var/run",
};

/**
 * pv_path_is_at_or_below:
 * @path: (type filename): absolute, normal
 * @folder: (type filename): absolute, normal
 */
gboolean
pv_path_is_at_or_below (const char *path, const char *folder)
{
  gsize length = strlen (folder);

  if (strcmp (folder, "/") == 0)
    return path[0] == '/';
  return strncmp (path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/**
 * pv_reserved_find:
 * @path: (type filename): absolute, without links
 *
 * Returns: (nullable) (transfer none): the reserved path that @path lies at, above or below
 */
const char *
pv_reserved_find (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (reserved); i++)
    {
      if (pv_path_is_at_or_below (path, reserved[i]) || pv_path_is_at_or_below (reserved[i], path))
        return reserved[i];
    }
  return NULL;
}
