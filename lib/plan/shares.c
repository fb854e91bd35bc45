/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which paths of the host appear in the container, where they are. */
#include "plan/shares.h"

#include "base/error.h"
#include "plan/reserved.h"

#include <string.h>

static PvShare *
add (GPtrArray *shares, const PvHostPath *path, const char *reason)
{
  PvShare *share = g_new0 (PvShare, 1);

  share->dest = path != NULL ? path->real : NULL;
  share->path = share->way = path;
  share->reason = reason;
  g_ptr_array_add (shares, share);
  return share;
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
    add (shares, path, reason);
  else
    g_ptr_array_add (notices, g_strdup_printf ("Cannot share %s \"%s\", ignoring: \"%s\" is reserved",
                                               reason, path->asked, reserved));
}

/* The last request for a path counts, as with other options. */
static void
add_requests (GPtrArray *shares, const GPtrArray *requests)
{
  for (guint i = requests->len; i > 0; i--)
    {
      const PvShareRequest *request = g_ptr_array_index (requests, i - 1);
      PvShare *share = add (shares, request->path, "--filesystem");

      share->read_only = request->read_only;
      share->requested = TRUE;
    }
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

static const char *
get_home_path (const PvHost *host)
{
  return host->home != NULL ? host->home->real : host->home_name;
}

/**
 * pv_shares_check_home:
 * @kind: what the program has as its home
 * @requests: (element-type PvShareRequest): what was asked for by name
 *
 * Returns: %FALSE with @error set (%PV_ERROR_USAGE) if another home would lie at a reserved path, or
 *  if the user's own was asked for at its place
 */
gboolean
pv_shares_check_home (PvHomeKind kind, const PvHost *host, const GPtrArray *requests,
                      GError **error)
{
  const char *dest = get_home_path (host);
  const char *reserved = kind != PV_HOME_SHARED ? pv_reserved_find (dest) : NULL;

  for (guint i = 0; kind != PV_HOME_SHARED && i < requests->len; i++)
    {
      const PvShareRequest *request = g_ptr_array_index (requests, i);

      if (strcmp (request->path->real, dest) == 0)
        return pv_error_set (error, PV_ERROR_USAGE, "Cannot share \"%s\": another home folder is to be "
                             "there", request->path->asked);
    }
  if (reserved == NULL)
    return TRUE;
  pv_error_set (error, PV_ERROR_USAGE, "Cannot put a home folder at \"%s\": \"%s\" is reserved",
                dest, reserved);
  return pv_error_hint (error, "set HOME to another path");
}

/* Another home takes the place of the user's own, and is put on top of whatever is shared above. */
static void
add_other_home (GPtrArray *shares, const PvPlanInput *input)
{
  gboolean is_private = input->home_kind == PV_HOME_PRIVATE;
  PvShare *share = add (shares, is_private ? input->private_home : NULL,
                        is_private ? "--home" : "--unshare-home");

  share->dest = get_home_path (input->host);
  share->way = input->host->home;
}

/* The current folder comes with the program, but a home that was to be kept out stays out. */
static void
add_cwd (GPtrArray *shares, const PvPlanInput *input)
{
  const PvHost *host = input->host;

  if (host->cwd == NULL || strcmp (host->cwd->real, "/") == 0)
    return;
  if (input->home_kind != PV_HOME_SHARED && host->home != NULL
      && strcmp (host->cwd->real, host->home->real) == 0)
    return;
  if (pv_reserved_find (host->cwd->real) == NULL)
    add (shares, host->cwd, "the current folder");
}

static int
compare_shares (gconstpointer a, gconstpointer b)
{
  const PvShare *const *left = a;
  const PvShare *const *right = b;

  return strcmp ((*left)->dest, (*right)->dest);
}

/* Returns: (nullable): the deepest of those that have a mount of their own and lead to @path */
static const PvShare *
find_nearest (const GPtrArray *shares, const char *path)
{
  const PvShare *nearest = NULL;

  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      if (!share->covered && pv_path_is_at_or_below (path, share->dest)
          && (nearest == NULL || strlen (share->dest) > strlen (nearest->dest)))
        nearest = share;
    }
  return nearest;
}

/* Whether the host's own path is seen at its place. */
static gboolean
is_in_place (const PvShare *share)
{
  return share->path != NULL && strcmp (share->path->real, share->dest) == 0;
}

/* What a parent shares in the same way needs no mount of its own.  A default takes over the mode of
 * the request that it lies below: what was asked for read-only has no writable folder in it. */
static gboolean
is_covered_by (const PvShare *share, const PvShare *nearest)
{
  if (strcmp (nearest->dest, share->dest) == 0)
    return TRUE;
  if (!is_in_place (nearest) || !is_in_place (share))
    return FALSE;
  return nearest->read_only == share->read_only || (nearest->requested && !share->requested);
}

/* Of two for one path, the first counts: it is the one that was asked for (the sort is stable). */
static void
mark_covered (GPtrArray *shares)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();

  g_ptr_array_sort (shares, compare_shares);
  for (guint i = 0; i < shares->len; i++)
    {
      PvShare *share = g_ptr_array_index (shares, i);
      const PvShare *nearest = find_nearest (kept, share->dest);

      share->covered = nearest != NULL && is_covered_by (share, nearest);
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

  if (!pv_shares_check (input->shares, error)
      || !pv_shares_check_home (input->home_kind, host, input->shares, error))
    return NULL;
  add_requests (shares, input->shares);

  if (input->home_kind == PV_HOME_SHARED)
    add_default (shares, host->home, "the home folder", notices);
  else
    add_other_home (shares, input);
  add_default (shares, host->tmp, "sockets and files that programs exchange", notices);
  add_default (shares, host->runtime_dir, "the session's sockets", notices);
  add_default (shares, host->wayland, "WAYLAND_DISPLAY", notices);
  add_default (shares, host->xauthority, "XAUTHORITY", notices);
  add_cwd (shares, input);
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

      if (pv_path_is_at_or_below (share->dest, folder))
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

/* A link on the way to a path is repeated, unless a shared folder has it already. */
static void
repeat_links (GPtrArray *mounts, const GPtrArray *shares, const PvHostPath *path)
{
  for (guint i = 0; i < path->links->len; i++)
    {
      const PvHostLink *link = g_ptr_array_index (path->links, i);

      if (!pv_shares_cover (shares, link->path) && pv_reserved_find (link->path) == NULL
          && !has_mount_at (mounts, link->path))
        pv_mounts_link (mounts, link->target, link->path, "a link on the way to a shared path");
    }
}

static void
mount_share (GPtrArray *mounts, const PvShare *share)
{
  PvMountKind kind = share->read_only ? PV_MOUNT_BIND_READ_ONLY : PV_MOUNT_BIND;

  if (share->path == NULL)
    pv_mounts_make (mounts, PV_MOUNT_TMPFS, share->dest, 0700, share->reason);
  else
    pv_mounts_bind (mounts, kind, share->path->real, share->path->fd, NULL, share->dest,
                    share->reason);
}

/**
 * pv_shares_mount:
 * @mounts: (inout): gets a mount for each share that needs one, and the links that lead to all
 */
void
pv_shares_mount (GPtrArray *mounts, const GPtrArray *shares)
{
  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      if (!share->covered)
        mount_share (mounts, share);
    }
  for (guint i = 0; i < shares->len; i++)
    {
      const PvShare *share = g_ptr_array_index (shares, i);

      if (share->way != NULL)
        repeat_links (mounts, shares, share->way);
    }
}
