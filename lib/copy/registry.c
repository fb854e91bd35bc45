/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of links to all folders of mutable copies, so that a cleaner finds them. */
#include "copy/registry.h"

#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * pv_registry_get_path:
 * @environment: where `XDG_STATE_HOME` and `HOME` are looked up
 *
 * Returns: (transfer full) (type filename): the user's registry
 */
char *
pv_registry_get_path (char **environment)
{
  const char *state = g_environ_getenv (environment, "XDG_STATE_HOME");
  const char *home = g_environ_getenv (environment, "HOME");

  /* As the XDG Base Directory Specification has it. */
  if (state != NULL && g_path_is_absolute (state))
    return g_build_filename (state, "pv-launch", "parents", NULL);
  return g_build_filename (home != NULL ? home : "/", ".local", "state", "pv-launch", "parents",
                           NULL);
}

/**
 * pv_registry_add:
 * @path: (type filename): a folder of copies, absolute
 *
 * Nothing is changed if it is there already.  Without this everything works, but that a cleaner has
 * to be told.
 */
void
pv_registry_add (const char *registry, const char *path)
{
  g_autoptr (GError) local_error = NULL;
  g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, path, -1);
  g_autofree char *link = g_build_filename (registry, digest, NULL);
  pv_autofd fd = -1;

  if (symlink (path, link) == 0 || errno == EEXIST)
    return;
  fd = pv_tree_make (registry, 0700, &local_error);
  if (fd < 0)
    pv_debug ("%s", local_error->message);
  else if (symlinkat (path, fd, digest) < 0 && errno != EEXIST)
    pv_debug ("Cannot create \"%s\": %s", link, g_strerror (errno));
}

static void
free_registered (gpointer data)
{
  PvRegistered *entry = data;

  g_free (entry->name);
  g_free (entry->path);
  g_free (entry);
}

/* What cannot be looked at for another reason may still be there. */
static gboolean
is_dangling (const char *path)
{
  struct stat st;

  if (stat (path, &st) < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
  return !S_ISDIR (st.st_mode);
}

/**
 * pv_registry_list:
 *
 * Returns: (transfer full) (element-type PvRegistered): sorted by name; empty if there is no
 *  registry; or %NULL with @error set
 */
GPtrArray *
pv_registry_list (const char *registry, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (free_registered);
  g_autoptr (GPtrArray) entries = NULL;
  pv_autofd fd = open (registry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0 && errno == ENOENT)
    return g_steal_pointer (&found);
  if (fd < 0)
    {
      pv_error_set_errno (error, errno, "Cannot open folder \"%s\"", registry);
      return NULL;
    }
  entries = pv_dir_list (fd, error);
  if (entries == NULL)
    return NULL;
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];
      PvRegistered *registered;

      if (entry->target == NULL || entry->target[0] != '/')
        continue;
      registered = g_new0 (PvRegistered, 1);
      registered->name = g_strdup (entry->name);
      registered->path = g_strdup (entry->target);
      registered->dangling = is_dangling (entry->target);
      g_ptr_array_add (found, registered);
    }
  return g_steal_pointer (&found);
}

/**
 * pv_registry_drop:
 * @entry: one that is dangling
 *
 * Forgets it, unless it has come to lead to something else.
 */
gboolean
pv_registry_drop (const char *registry, const PvRegistered *entry, GError **error)
{
  pv_autofd fd = open (registry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *target = fd < 0 ? NULL : pv_dir_read_link (fd, entry->name);

  if (target == NULL || strcmp (target, entry->path) != 0)
    return TRUE;
  if (unlinkat (fd, entry->name, 0) == 0 || errno == ENOENT)
    return TRUE;
  return pv_error_set_errno (error, errno, "Cannot delete \"%s/%s\"", registry, entry->name);
}
