/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"
#include "host/etc-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* What does not exist is not shared, and that is no error. */
static PvHostPath *
open_if_there (const char *path)
{
  if (path == NULL || path[0] != '/')
    return NULL;
  return pv_host_path_open (path, NULL);
}

static char *
get_home_name (char **environment, const PvIdentity *identity)
{
  const char *home = g_environ_getenv (environment, "HOME");

  return g_canonicalize_filename (home != NULL && home[0] == '/' ? home : identity->home, "/");
}

/* The kernel's name of it, which has no links.  A folder that was deleted has none. */
static PvHostPath *
open_cwd (void)
{
  char path[PATH_MAX];

  return getcwd (path, sizeof path) != NULL ? open_if_there (path) : NULL;
}

/**
 * pv_host_gather:
 * @environment: (array zero-terminated=1): of the caller
 *
 * Returns: (transfer full): what the plan needs to know, or %NULL with @error set
 */
PvHost *
pv_host_gather (char **environment, GError **error)
{
  g_autoptr (PvHost) self = g_new0 (PvHost, 1);
  pv_autofd etc_fd = pv_openat2 (AT_FDCWD, "/etc", O_PATH | O_DIRECTORY, 0, PV_RESOLVE_ANYWHERE);

  if (etc_fd < 0)
    {
      pv_error_set_errno (error, errno, "Cannot open \"/etc\"");
      return NULL;
    }

  self->environment = g_strdupv (environment);
  self->identity = pv_identity_get (etc_fd, getuid (), getgid ());
  self->home_name = get_home_name (environment, self->identity);
  self->home = open_if_there (self->home_name);
  self->cwd = open_cwd ();
  self->runtime_dir = open_if_there (g_environ_getenv (environment, "XDG_RUNTIME_DIR"));
  self->tmp = open_if_there ("/tmp");
  self->wayland = open_if_there (g_environ_getenv (environment, "WAYLAND_DISPLAY"));
  self->xauthority = open_if_there (g_environ_getenv (environment, "XAUTHORITY"));
  self->files = pv_host_files_read (etc_fd);
  self->zone = pv_host_zone_read (etc_fd);
  return g_steal_pointer (&self);
}

void
pv_host_free (PvHost *host)
{
  if (host == NULL)
    return;
  g_strfreev (host->environment);
  g_clear_pointer (&host->identity, pv_identity_free);
  g_clear_pointer (&host->home, pv_host_path_free);
  g_free (host->home_name);
  g_clear_pointer (&host->cwd, pv_host_path_free);
  g_clear_pointer (&host->runtime_dir, pv_host_path_free);
  g_clear_pointer (&host->tmp, pv_host_path_free);
  g_clear_pointer (&host->wayland, pv_host_path_free);
  g_clear_pointer (&host->xauthority, pv_host_path_free);
  g_clear_pointer (&host->files, g_ptr_array_unref);
  g_free (host->zone);
  g_free (host);
}
