/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folders that are used: on which filesystems they are, and what is broken or left in them. */
#include "base/error.h"
#include "base/fd.h"
#include "copy/file-data.h"
#include "copy/gc.h"
#include "copy/mounted.h"
#include "copy/registry.h"
#include "findings.h"
#include "lock/filesystem.h"
#include "runtime/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of many, the first tell enough. */
#define MAX_SHOWN 3

/* Returns: the folder, or the nearest one above it that is there */
static int
open_nearest (const char *path)
{
  g_autofree char *current = g_strdup (path);
  int fd;

  while ((fd = open (current, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 && errno == ENOENT)
    {
      char *parent = g_path_get_dirname (current);

      g_free (current);
      current = parent;
    }
  return fd;
}

static void
find_filesystem (GPtrArray *findings, const char *name, const char *path, int fd)
{
  const char *filesystem;

  switch (pv_filesystem_get_kind (fd, &filesystem))
    {
    case PV_FILESYSTEM_REMOTE:
      pvctl_findings_add (findings, name, PVCTL_NOTE, "move it to a local filesystem",
                          "\"%s\" lies on %s: other machines may not see its locks", path,
                          filesystem);
      break;
    case PV_FILESYSTEM_OVERLAY:
      pvctl_findings_add (findings, name, PVCTL_NOTE, "move it to a filesystem that is no overlay",
                          "\"%s\" lies on an overlay: only users of the same mount see its locks",
                          path);
      break;
    case PV_FILESYSTEM_LOCAL:
    default:
      pvctl_findings_add (findings, name, PVCTL_OK, NULL, "\"%s\" lies on a local filesystem",
                          path);
      break;
    }
}

/* With two files without a name, of which nothing is left. */
static void
find_reflinks (GPtrArray *findings, const char *path, int fd)
{
  pv_autofd source = openat (fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  pv_autofd dest = openat (fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

  if (source < 0 || dest < 0)
    return;
  if (write (source, "x", 1) == 1 && pv_file_data_clone (source, dest))
    pvctl_findings_add (findings, "reflink", PVCTL_OK, NULL, "files in \"%s\" can share blocks",
                        path);
  else
    pvctl_findings_add (findings, "reflink", PVCTL_OK, NULL,
                        "files in \"%s\" cannot share blocks: what is not an overlay is linked or "
                        "copied",
                        path);
}

static void
find_stores (GPtrArray *findings, char **environment)
{
  g_auto (GStrv) dirs = pv_store_get_dirs (environment);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = pv_store_list ((const char *const *) dirs, &error);

  if (dirs[0] != NULL)
    {
      pv_autofd fd = open_nearest (dirs[0]);

      find_filesystem (findings, "store", dirs[0], fd);
      find_reflinks (findings, dirs[0], fd);
    }
  if (entries == NULL)
    pvctl_findings_add_error (findings, "runtimes", PVCTL_BAD, error);
  else
    pvctl_findings_add (findings, "runtimes", PVCTL_OK, NULL, "%u versions of runtimes",
                        entries->len);
  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const PvStoreEntry *entry = entries->pdata[i];

      if (entry->problem != NULL)
        pvctl_findings_add (findings, "runtimes", PVCTL_BAD, "build it anew, or remove it",
                            "\"%s\" cannot be used: %s", entry->path, entry->problem);
    }
}

/* Returns: (transfer full) (nullable): the first ones, for a person */
static char *
list_removable (const GPtrArray *entries, guint *ret_count)
{
  GString *text = g_string_new (NULL);

  *ret_count = 0;
  for (guint i = 0; i < entries->len; i++)
    {
      const PvGcEntry *entry = entries->pdata[i];

      if (entry->outcome != PV_GC_REMOVED)
        continue;
      if (++*ret_count <= MAX_SHOWN)
        g_string_append_printf (text, "%s\"%s\"", text->len > 0 ? ", " : "", entry->path);
    }
  if (*ret_count > MAX_SHOWN)
    g_string_append (text, ", …");
  return g_string_free (text, FALSE);
}

static void
find_copies (GPtrArray *findings, const char *path, const PvMounted *mounted)
{
  pv_autofd fd = open_nearest (path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = pv_gc_clean (path, mounted, TRUE, &error);
  g_autofree char *names = NULL;
  guint count;

  find_filesystem (findings, "copies", path, fd);
  if (entries == NULL)
    {
      pvctl_findings_add_error (findings, "copies", PVCTL_BAD, error);
      return;
    }
  names = list_removable (entries, &count);
  if (count > 0)
    pvctl_findings_add (findings, "copies", PVCTL_NOTE, "pvctl gc",
                        "%u that nobody uses are left in \"%s\": %s", count, path, names);
}

static void
find_parents (GPtrArray *findings, char **environment)
{
  g_autofree char *registry = pv_registry_get_path (environment);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) parents = pv_registry_list (registry, &error);
  g_autoptr (PvMounted) mounted = NULL;

  if (parents == NULL)
    {
      pvctl_findings_add_error (findings, "copies", PVCTL_BAD, error);
      return;
    }
  for (guint i = 0; i < parents->len; i++)
    {
      const PvRegistered *parent = parents->pdata[i];

      if (parent->dangling)
        continue;
      if (mounted == NULL)
        mounted = pv_mounted_read ();
      find_copies (findings, parent->path, mounted);
    }
}

static void
find_runtime_folder (GPtrArray *findings, char **environment)
{
  const char *path = g_environ_getenv (environment, "XDG_RUNTIME_DIR");
  struct stat st;

  if (path == NULL || path[0] != '/')
    pvctl_findings_add (findings, "runtime-folder", PVCTL_NOTE,
                        "log in by way of a session manager that sets it",
                        "XDG_RUNTIME_DIR is not set: programs find no sockets of the session");
  else if (stat (path, &st) < 0 || !S_ISDIR (st.st_mode) || access (path, W_OK) < 0)
    pvctl_findings_add (findings, "runtime-folder", PVCTL_BAD,
                        "set XDG_RUNTIME_DIR to a folder of yours",
                        "\"%s\" (from XDG_RUNTIME_DIR) is no folder that can be written to", path);
  else
    pvctl_findings_add (findings, "runtime-folder", PVCTL_OK, NULL, "\"%s\" can be written to",
                        path);
}

/**
 * pvctl_find_places:
 * @findings: (inout): gets what is found
 */
void
pvctl_find_places (GPtrArray *findings, char **environment)
{
  find_stores (findings, environment);
  find_parents (findings, environment);
  find_runtime_folder (findings, environment);
}
