/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/store.h"

/* Environment variables count only if they are absolute, as the XDG base directory specification
 * has it. */
static void
add_dir (GPtrArray *dirs, const char *base)
{
  if (base != NULL && g_path_is_absolute (base))
    g_ptr_array_add (dirs, g_build_filename (base, "pv-launch", "runtimes", NULL));
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
  const char *data_home = g_environ_getenv (environment, "XDG_DATA_HOME");
  const char *data_dirs = g_environ_getenv (environment, "XDG_DATA_DIRS");
  const char *home = g_environ_getenv (environment, "HOME");
  g_auto (GStrv) system_dirs = NULL;

  if (data_home != NULL && g_path_is_absolute (data_home))
    {
      add_dir (dirs, data_home);
    }
  else if (home != NULL && g_path_is_absolute (home))
    {
      g_autofree char *local = g_build_filename (home, ".local", "share", NULL);

      add_dir (dirs, local);
    }

  if (data_dirs == NULL || data_dirs[0] == '\0')
    data_dirs = "/usr/local/share:/usr/share";
  system_dirs = g_strsplit (data_dirs, ":", -1);
  for (gsize i = 0; system_dirs[i] != NULL; i++)
    add_dir (dirs, system_dirs[i]);

  g_ptr_array_add (dirs, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&dirs), FALSE);
}
