/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "helpers.h"

/**
 * pv_helper_get_path:
 * @name: a program that users do not call themselves
 * @environment: (array zero-terminated=1): of the caller; `$PV_LAUNCH_LIBEXECDIR` counts first
 *
 * Returns: (transfer full) (type filename): where it should be
 */
char *
pv_helper_get_path (const char *name, char **environment)
{
  const char *folder = g_environ_getenv (environment, "PV_LAUNCH_LIBEXECDIR");

  return g_build_filename (folder != NULL && folder[0] == '/' ? folder : PV_LIBEXECDIR, name, NULL);
}
