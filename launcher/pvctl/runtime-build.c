/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The work needs libarchive, whose loading alone takes longer than most other tasks. */
#include "base/error.h"
#include "tasks.h"
#include "usage.h"

#include <errno.h>
#include <unistd.h>

#define PROGRAM "pv-runtime-build"

int
pvctl_runtime_build (int argc G_GNUC_UNUSED, char **argv)
{
  const char *dir = g_getenv ("PV_LAUNCH_LIBEXECDIR");
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  int saved_errno;

  if (dir == NULL || dir[0] == '\0')
    dir = PV_LIBEXECDIR;
  path = g_build_filename (dir, PROGRAM, NULL);
  execv (path, argv);
  saved_errno = errno;

  pv_error_set_errno (&error, saved_errno, "Cannot run \"%s\"", path);
  if (saved_errno == ENOENT)
    pv_error_hint (&error, "PV_LAUNCH_LIBEXECDIR names the folder where it is, if it is not "
                           "installed");
  return pvctl_usage_report (error);
}
