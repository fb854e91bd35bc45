/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which paths of the host appear in the container, where they are. */
#include "plan/shares.h"

#include "base/error.h"
#include "plan/reserved.h"

#include <string.h>

static void
add (GPtrArray *shares, const PvHostPath *path, gboolean read_only, const char *reason)
{
  PvShare *share = g_new0 (PvShare, 1);

  share->path = path;
  share->read_only = read_only;
  share->reason = reason;
  g_ptr_array_add (shares, share);
}

/* What is shared without being asked for is left out where it cannot be shared. */
static void
add_default (GPtrArray *shares, const PvHostPath *path, const char *reason, GPtrArray *notices)
{
  const char *reserved;

  if (path == NULL)
    return;
  reserved = pv_reserved_find (path->real);
  if (reserved == NULL)
    add (shares, path, FALSE, reason);
  else
    g_ptr_array_add (notices, g_strdup_printf ("Cannot share \"%s\", ignoring: \"%s\" is reserved",
                                               path->asked, reserved));
}

static gboolean
check_request (const PvShareRequest *request, GError **error)
{
  const char *reserved = pv_reserved_find (request->path->real);

  if (reserved == NULL)
    return TRUE;
  pv_error_set (error, PV_ERROR_USAGE, "Cannot share \"%s\": \"%s\" is reserved",
                request->path->asked, reserved);
  return pv_error_hint (error, "the container makes \"%s\" itself; share another folder", reserved);
}

/**
 * pv_shares_check:
 * @requests: (element-type PvShareRequest): what was asked for by name
 *
 * Returns: %FALSE with @error set (%PV_ERROR_USAGE) if one of them is reserved
 */
gboolean
pv_shares_check (const GPtrArray *requests, GError **error)
{
  for (guint i = 0; i < requests->len; i++)
    {
      if (!check_request (g_ptr_array_index (requests, i), error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
is_home (const PvHost *host, const PvHostPath *path)
{
  return host->home != NULL && strcmp (path->real, host->home->real) == 0;
}

/* The current folder comes with the program, but a home that was to be kept out stays out. */
static void
add_cwd (GPtrArray *shares, const PvPlanInput *input, GPtrArray *notices)
{
  const PvHostPath *cwd = input->host->cwd;

  if (cwd == NULL || strcmp (cwd->real, "/") == 0)
    return;
  if (input->home_kind != PV_HOME_SHARED && is_home (input->host, cwd))
    return;
  add_default (shares, cwd, "the current folder", notices);
}

static int
compare_shares (gconstpointer a, gconstpointer b)
{
  const PvShare *const *left = a;
  const PvShare *const *right = b;

  return strcmp ((*left)->path->real, (*right)->path->real);
}

/* Returns: (nullable): the deepest of those that have a mount of their own and lead to @path */
static const PvShare *
find_nearest (const GPtrArray *shares, const char *path)
{
  const PvShare *nearest = NULL;

  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      if (!share->covered && pv_path_is_at_or_below (path, share->path->real)
          && (nearest == NULL || strlen (share->path->real) > strlen (nearest->path->real)))
        nearest = share;
    }
  return nearest;
}

/* What a parent shares in the same way needs no mount of its own; of two for one path, the first
 * counts: it is the one that was asked for (the sort is stable). */
static void
mark_covered (GPtrArray *shares)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();

  g_ptr_array_sort (shares, compare_shares);
  for (guint i = 0; i < shares->len; i++)
    {
      PvShare *share = g_ptr_array_index (shares, i);
      const PvShare *nearest = find_nearest (kept, share->path->real);

      share->covered = nearest != NULL
                       && (nearest->read_only == share->read_only
                           || strcmp (nearest->path->real, share->path->real) == 0);
      if (!share->covered)
        g_ptr_array_add (kept, share);
    }
}

/**
 * pv_shares_plan:
 * @input: what was asked for
 * @notices: (inout): gets a line for each default that had to be left out
 *
 * Returns: (transfer full) (element-type PvShare): what is to be shared, parents before children,
 *  or %NULL with @error set if a reserved path was asked for
 */
GPtrArray *
pv_shares_plan (const PvPlanInput *input, GPtrArray *notices, GError **error)
{
  g_autoptr (GPtrArray) shares = g_ptr_array_new_with_free_func (g_free);
  const PvHost *host = input->host;

  if (!pv_shares_check (input->shares, error))
    return NULL;
  for (guint i = 0; i < input->shares->len; i++)
    {
      const PvShareRequest *request = g_ptr_array_index (input->shares, i);

      add (shares, request->path, request->read_only, "--filesystem");
    }

  if (input->home_kind == PV_HOME_SHARED)
    add_default (shares, host->home, "the home folder", notices);
  add_default (shares, host->tmp, "sockets and files that programs exchange", notices);
  add_default (shares, host->runtime_dir, "the session's sockets", notices);
  add_default (shares, host->wayland, "WAYLAND_DISPLAY", notices);
  add_default (shares, host->xauthority, "XAUTHORITY", notices);
  add_cwd (shares, input, notices);
  mark_covered (shares);
  return g_steal_pointer (&shares);
}

/**
 * pv_shares_reach_into:
 *
 * Returns: whether something is shared at or below @folder
 */
gboolean
pv_shares_reach_into (const GPtrArray *shares, const char *folder)
{
  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      if (pv_path_is_at_or_below (share->path->real, folder))
        return TRUE;
    }
  return FALSE;
}

/**
 * pv_shares_cover:
 *
 * Returns: whether @path can be seen through one of @shares
 */
gboolean
pv_shares_cover (const GPtrArray *shares, const char *path)
{
  return find_nearest (shares, path) != NULL;
}

static gboolean
has_mount_at (const GPtrArray *mounts, const char *dest)
{
  for (guint i = 0; i < mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (mounts, i);

      if (strcmp (mount->dest, dest) == 0)
        return TRUE;
    }
  return FALSE;
}

/**
 * pv_shares_repeat_links:
 * @mounts: (inout): gets the links on the way to @path
 *
 * A link on the way to a path is repeated, unless a shared folder has it already.
 */
void
pv_shares_repeat_links (GPtrArray *mounts, const GPtrArray *shares, const PvHostPath *path)
{
  for (guint i = 0; i < path->links->len; i++)
    {
      const PvHostLink *link = g_ptr_array_index (path->links, i);

      if (!pv_shares_cover (shares, link->path) && pv_reserved_find (link->path) == NULL
          && !has_mount_at (mounts, link->path))
        pv_mounts_link (mounts, link->target, link->path, "a link on the way to a shared path");
    }
}

/**
 * pv_shares_mount:
 * @mounts: (inout): gets a bind for each share that needs one, and the links that lead to all
 */
void
pv_shares_mount (GPtrArray *mounts, const GPtrArray *shares)
{
  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      if (!share->covered)
        pv_mounts_bind (mounts, share->read_only ? PV_MOUNT_BIND_READ_ONLY : PV_MOUNT_BIND,
                        share->path->real, share->path->fd, NULL, share->path->real, share->reason);
    }
  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      pv_shares_repeat_links (mounts, shares, share->path);
    }
}
