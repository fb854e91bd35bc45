/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/file-error.h"

#include "base/error.h"
#include "base/fd.h"

/* The kernel names no path that is longer than PATH_MAX. */
static char *
get_path (int dir_fd, const char *name)
{
  g_autofree char *folder = pv_fd_get_path (dir_fd);

  return g_build_filename (folder != NULL ? folder : "...", name, NULL);
}

/**
 * pv_file_error_set:
 * @saved_errno: chooses the code, as for pv_error_set_errno()
 * @what: could not be done: a verb, and "file" or the like where that helps
 * @dir_fd: an open folder
 * @name: (type filename) (nullable): in it; %NULL for the folder itself
 *
 * Returns: always %FALSE
 */
gboolean
pv_file_error_set (GError **error, int saved_errno, const char *what, int dir_fd, const char *name)
{
  g_autofree char *path = get_path (dir_fd, name);

  return pv_error_set_errno (error, saved_errno, "Cannot %s \"%s\"", what, path);
}

/**
 * pv_file_error_set_unsupported:
 *
 * The same, but the code is %PV_ERROR_UNSUPPORTED whatever @saved_errno is: another way may work.
 *
 * Returns: always %FALSE
 */
gboolean
pv_file_error_set_unsupported (GError **error, int saved_errno, const char *what, int dir_fd,
                               const char *name)
{
  g_autofree char *path = get_path (dir_fd, name);

  return pv_error_set (error, PV_ERROR_UNSUPPORTED, "Cannot %s \"%s\": %s", what, path,
                       g_strerror (saved_errno));
}

/**
 * pv_file_error_set_changed:
 *
 * A name leads elsewhere than it did: the code is %PV_ERROR_CHANGED.
 *
 * Returns: always %FALSE
 */
gboolean
pv_file_error_set_changed (GError **error, int dir_fd, const char *name)
{
  g_autofree char *path = get_path (dir_fd, name);

  return pv_error_set (error, PV_ERROR_CHANGED,
                       "Cannot copy \"%s\": somebody else has changed it meanwhile", path);
}
