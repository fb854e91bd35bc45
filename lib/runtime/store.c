/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/store.h"
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Environment variables count only if they are absolute, as the XDG base directory specification
 * has it. */
static void
add_dir (GPtrArray *dirs, const char *base)
{
  if (base != NULL && g_path_is_absolute (base))
    g_ptr_array_add (dirs, g_build_filename (base, "pv-launch", "runtimes", NULL));
}

/**
 * pv_store_get_data_home:
 * @environment: (array zero-terminated=1): of the caller
 *
 * Returns: (transfer full) (nullable): `$XDG_DATA_HOME` or what stands for it; %NULL without a home
 */
char *
pv_store_get_data_home (char **environment)
{
  const char *data_home = g_environ_getenv (environment, "XDG_DATA_HOME");
  const char *home = g_environ_getenv (environment, "HOME");

  if (data_home != NULL && g_path_is_absolute (data_home))
    return g_strdup (data_home);
  if (home != NULL && g_path_is_absolute (home))
    return g_build_filename (home, ".local", "share", NULL);
  return NULL;
}

/**
 * pv_store_get_dirs:
 * @environment: (array zero-terminated=1): of the caller
 *
 * Returns: (transfer full): the folders in which runtimes are looked for by name, first the user's
 *  own (if there is a home), then the system's; they need not exist
 */
char **
pv_store_get_dirs (char **environment)
{
  g_autoptr (GPtrArray) dirs = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *data_home = pv_store_get_data_home (environment);
  const char *data_dirs = g_environ_getenv (environment, "XDG_DATA_DIRS");
  g_auto (GStrv) system_dirs = NULL;

  add_dir (dirs, data_home);

  if (data_dirs == NULL || data_dirs[0] == '\0')
    data_dirs = "/usr/local/share:/usr/share";
  system_dirs = g_strsplit (data_dirs, ":", -1);
  for (gsize i = 0; system_dirs[i] != NULL; i++)
    add_dir (dirs, system_dirs[i]);

  g_ptr_array_add (dirs, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&dirs), FALSE);
}

/**
 * pv_store_is_name:
 * @name: what may become the name of a runtime or of a version
 *
 * Returns: whether it is a plain file name that neither hides itself nor looks like an option
 */
gboolean
pv_store_is_name (const char *name)
{
  return g_ascii_isalnum (name[0]) && strlen (name) <= 200
         && name[strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._+~-")] == '\0';
}

static void
entry_free (gpointer data)
{
  PvStoreEntry *entry = data;

  pv_metadata_free (entry->metadata);
  g_free (entry->path);
  g_free (entry->problem);
  g_free (entry);
}

static int
entry_compare (gconstpointer a, gconstpointer b)
{
  const PvStoreEntry *left = *(const PvStoreEntry *const *) a;
  const PvStoreEntry *right = *(const PvStoreEntry *const *) b;
  g_autofree char *left_key = NULL;
  g_autofree char *right_key = NULL;
  int order = strcmp (left->metadata->name, right->metadata->name);

  if (order == 0)
    order = right->current - left->current;
  if (order != 0)
    return order;

  /* The newest first: 20260101.10 before 20260101.9. */
  left_key = g_utf8_collate_key_for_filename (left->path, -1);
  right_key = g_utf8_collate_key_for_filename (right->path, -1);
  return strcmp (right_key, left_key);
}

/* What the folders say, for a version without `runtime.json`. */
static PvMetadata *
guess_metadata (int version_fd, const char *name, const char *version)
{
  g_autoptr (PvMetadata) metadata = g_new0 (PvMetadata, 1);
  pv_autofd usr_fd = pv_openat2 (version_fd, "files/usr", O_PATH | O_DIRECTORY, 0,
                                 PV_RESOLVE_ANYWHERE);

  metadata->name = g_strdup (name);
  metadata->version = g_strdup (version);
  metadata->layout = usr_fd >= 0 ? PV_LAYOUT_ROOT : PV_LAYOUT_USR;
  return g_steal_pointer (&metadata);
}

static PvStoreEntry *
read_version (int version_fd, const char *name, const char *version)
{
  PvStoreEntry *entry = g_new0 (PvStoreEntry, 1);
  pv_autofd files_fd = openat (version_fd, "files", O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) local_error = NULL;

  if (files_fd < 0)
    entry->problem = g_strdup_printf ("It has no folder \"files\": %s", g_strerror (errno));

  entry->metadata = pv_metadata_load_at (version_fd, &local_error);
  if (entry->metadata == NULL)
    {
      entry->metadata = guess_metadata (version_fd, name, version);
      if (entry->problem == NULL
          && !g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND))
        entry->problem = g_strdup (local_error->message);
    }
  else
    {
      /* The folders decide: somebody may have moved it. */
      g_free (entry->metadata->name);
      entry->metadata->name = g_strdup (name);
      g_free (entry->metadata->version);
      entry->metadata->version = g_strdup (version);
    }
  return entry;
}

static gboolean
list_versions (int versions_fd, const char *path, const char *name, const char *current,
               GPtrArray *entries, GError **error)
{
  g_autoptr (GPtrArray) versions = pv_dir_list (versions_fd, error);

  if (versions == NULL)
    return FALSE;
  for (guint i = 0; i < versions->len; i++)
    {
      const PvEntry *version = versions->pdata[i];
      g_autofree char *target = g_build_filename ("versions", version->name, "files", NULL);
      pv_autofd fd = -1;
      PvStoreEntry *entry;

      /* `.new-*` and what is being deleted. */
      if (!version->is_dir || !pv_store_is_name (version->name))
        continue;
      fd = openat (versions_fd, version->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0)
        continue;
      entry = read_version (fd, name, version->name);
      entry->current = g_strcmp0 (current, target) == 0;
      entry->path = entry->current ? g_strdup (path)
                                   : g_build_filename (path, "versions", version->name, NULL);
      g_ptr_array_add (entries, entry);
    }
  return TRUE;
}

static gboolean
list_runtime (int store_fd, const char *store, const char *name, GPtrArray *entries,
              GError **error)
{
  g_autofree char *path = g_build_filename (store, name, NULL);
  g_autofree char *current = NULL;
  pv_autofd fd = openat (store_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  pv_autofd versions_fd = -1;
  pv_autofd files_fd = -1;

  if (fd < 0)
    return TRUE;
  current = pv_dir_read_link (fd, "files");
  versions_fd = openat (fd, "versions", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (versions_fd >= 0)
    return list_versions (versions_fd, path, name, current, entries, error);

  files_fd = openat (fd, "files", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (files_fd >= 0)
    {
      PvStoreEntry *entry = read_version (fd, name, NULL);

      entry->current = TRUE;
      entry->path = g_steal_pointer (&path);
      g_ptr_array_add (entries, entry);
    }
  return TRUE;
}

/**
 * pv_store_list:
 * @dirs: (array zero-terminated=1): the stores; a missing one is empty
 *
 * Returns: (transfer container) (element-type PvStoreEntry): every version of every runtime,
 *  sorted by name, of one name the current one first, then the newest; or %NULL with @error set
 */
GPtrArray *
pv_store_list (const char *const *dirs, GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (entry_free);

  for (gsize i = 0; dirs[i] != NULL; i++)
    {
      pv_autofd store_fd = open (dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      g_autoptr (GPtrArray) names = NULL;

      if (store_fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        continue;
      if (store_fd < 0)
        {
          pv_error_set_errno (error, errno, "Cannot open store \"%s\"", dirs[i]);
          return NULL;
        }
      names = pv_dir_list (store_fd, error);
      if (names == NULL)
        return NULL;
      for (guint k = 0; k < names->len; k++)
        {
          const PvEntry *name = names->pdata[k];

          if (pv_store_is_name (name->name)
              && !list_runtime (store_fd, dirs[i], name->name, entries, error))
            return NULL;
        }
    }
  g_ptr_array_sort (entries, entry_compare);
  return g_steal_pointer (&entries);
}
