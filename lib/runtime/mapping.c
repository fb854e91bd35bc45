/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which part of a root file system becomes what in a runtime's `files/`.  Pure. */
#include "runtime/mapping.h"

#include <fnmatch.h>
#include <string.h>

/* What a machine, and no runtime, has of its own. */
static const char *const host_files[] = { "etc/hostname", "etc/resolv.conf", ".ref" };

/* What serves only a machine that boots, or is administered.  A runtime does neither, and every
 * entry of its etc costs a link at each launch. */
static const char *const booted[] = {
  "etc/*-",          "etc/.pwd.lock",   "etc/adduser.conf", "etc/apt",         "etc/cron.*",
  "etc/debconf.conf", "etc/deluser.conf", "etc/dpkg",       "etc/e2scrub.conf", "etc/fstab",
  "etc/gshadow",     "etc/init.d",      "etc/issue*",       "etc/kernel",      "etc/login.defs",
  "etc/logrotate.d", "etc/motd",        "etc/rc?.d",        "etc/shadow",      "etc/skel",
  "etc/subgid",      "etc/subuid",      "etc/sysctl.*",     "etc/systemd",     "etc/update-motd.d",
};

/* Folders that a complete root has, empty: mount points, and what can be fetched again. */
static const char *const emptied[] = { "dev", "proc", "run", "sys", "tmp", "var/cache/apt",
                                       "var/lib/apt/lists", "var/tmp" };

static const char *const merged[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32" };

/* Returns: what follows PREFIX/ in PATH, NULL if PATH is not below it */
static const char *
below (const char *path, const char *prefix)
{
  gsize length = strlen (prefix);

  if (strncmp (path, prefix, length) != 0 || path[length] != '/' || path[length + 1] == '\0')
    return NULL;
  return path + length + 1;
}

static char *
normalise (const char *path)
{
  char *copy;

  while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
    path++;
  if (strcmp (path, ".") == 0)
    path++;
  copy = g_strdup (path);
  for (gsize length = strlen (copy); length > 0 && copy[length - 1] == '/'; length--)
    copy[length - 1] = '\0';
  return copy;
}

static gboolean
is_of_booted_machine (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (booted); i++)
    {
      if (fnmatch (booted[i], path, FNM_PATHNAME | FNM_LEADING_DIR) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_dropped_from_root (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (emptied); i++)
    {
      if (below (path, emptied[i]) != NULL)
        return TRUE;
    }
  return FALSE;
}

/**
 * pv_mapping_map:
 * @layout: of the runtime
 * @path: (type filename): in a root file system; `./` or `/` in front of it does not count
 *
 * Returns: (transfer full) (nullable) (type filename): the path in `files/`, %NULL if it has no
 *  place there
 */
char *
pv_mapping_map (PvLayout layout, const char *path)
{
  g_autofree char *normal = normalise (path);
  const char *mapped = normal;

  for (gsize i = 0; i < G_N_ELEMENTS (host_files); i++)
    {
      if (strcmp (normal, host_files[i]) == 0)
        return NULL;
    }
  if (normal[0] == '\0')
    return NULL;

  if (layout == PV_LAYOUT_ROOT)
    return is_dropped_from_root (normal) ? NULL : g_steal_pointer (&normal);

  if (is_of_booted_machine (normal))
    return NULL;
  if (strcmp (normal, "etc") != 0 && below (normal, "etc") == NULL)
    mapped = below (normal, "usr");
  if (mapped == NULL || strcmp (mapped, ".ref") == 0)
    return NULL;
  return g_strdup (mapped);
}

/**
 * pv_mapping_is_unmerged:
 * @path: (type filename): in a root file system
 *
 * Returns: whether @path can only be in one whose `/usr` is not merged
 */
gboolean
pv_mapping_is_unmerged (const char *path)
{
  g_autofree char *normal = normalise (path);

  for (gsize i = 0; i < G_N_ELEMENTS (merged); i++)
    {
      if (below (normal, merged[i]) != NULL)
        return TRUE;
    }
  return FALSE;
}
