/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/bwrap.h"

#include "base/error.h"

#include <errno.h>
#include <unistd.h>

static const char *const variables[] = { "PV_LAUNCH_BWRAP", "PRESSURE_VESSEL_BWRAP", "BWRAP" };

static char *
check_executable (const char *path, const char *source, GError **error)
{
  if (access (path, X_OK) == 0)
    return g_strdup (path);
  pv_error_set_errno (error, errno, "Cannot execute bubblewrap \"%s\" (from %s)", path, source);
  return NULL;
}

/**
 * pv_bwrap_find:
 * @environment: (array zero-terminated=1): of the caller
 *
 * Looks for bubblewrap: what `$PV_LAUNCH_BWRAP`, `$PRESSURE_VESSEL_BWRAP` or `$BWRAP` names, with
 * no fallback; the one chosen when this was built; `bwrap` in `$PATH`.  It is not started: whether
 * it works is known when it does.
 *
 * Returns: (transfer full) (type filename): an executable file, or %NULL with @error set
 */
char *
pv_bwrap_find (char **environment, GError **error)
{
  g_autofree char *found = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (variables); i++)
    {
      const char *path = g_environ_getenv (environment, variables[i]);

      if (path != NULL && path[0] != '\0')
        return check_executable (path, variables[i], error);
    }

  if (PV_BWRAP[0] != '\0')
    return check_executable (PV_BWRAP, "the build's configuration", error);

  found = g_find_program_in_path ("bwrap");
  if (found == NULL)
    {
      pv_error_set (error, PV_ERROR_NOT_FOUND, "Cannot find bubblewrap: no \"bwrap\" in PATH");
      pv_error_hint (error, "install the package bubblewrap, or set PV_LAUNCH_BWRAP to its path");
    }
  return g_steal_pointer (&found);
}
