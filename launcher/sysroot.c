/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the program's /usr comes from: the runtime itself, or a mutable copy of it. */
#include "sysroot.h"

#include "base/error.h"
#include "base/log.h"
#include "copy/registry.h"
#include "deployment.h"
#include "lease.h"

/* By the first strategy that works. */
static PvCopy *
make (const PvOptions *options, const PvCopyParent *parent, const PvRuntime *runtime,
      PvCopySearch *search, GError **error)
{
  while (pv_copy_search_find (search, options))
    {
      const PvCopyRequest request = {
        .strategy = search->next,
        .writable = options->writable_copy,
        .all_writable = options->copy_strategy == PV_COPY_AUTO,
        .keep = options->keep_copy,
      };
      g_autoptr (GError) local_error = NULL;
      PvCopy *copy = pv_copy_new (parent, runtime, &request, &local_error);

      if (copy != NULL)
        return copy;
      if (!g_error_matches (local_error, PV_ERROR, PV_ERROR_UNSUPPORTED))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      pv_copy_search_skip (search, local_error);
    }
  pv_copy_search_set_error (search, options, error);
  return NULL;
}

/* @runtime: (inout): becomes what was deployed, if it is shipped as a manifest
 * @leases: (inout): get the lock of that instead
 * Returns: (nullable): the folder of copies, locked */
static PvCopyParent *
find_base (const PvOptions *options, const PvReport *report, char **environment,
           PvRuntime **runtime, GPtrArray *leases, GError **error)
{
  const PvWaiting waiting = { .options = options, .report = report };
  const PvLockWait wait = pv_lease_wait (&waiting);
  g_autofree char *registry = pv_registry_get_path (environment);
  g_autoptr (PvManifest) manifest = NULL;
  g_autoptr (PvBase) base = NULL;
  PvDeployment deployment = { options, report, environment, *runtime, NULL };
  PvCopyParent *parent = NULL;

  if ((*runtime)->layout == PV_LAYOUT_USR
      && !pv_manifest_find ((*runtime)->fd, &manifest, error))
    return NULL;
  if (manifest == NULL)
    {
      if (options->verify)
        pv_warning ("Runtime \"%s\" has no manifest: there is nothing to verify",
                    (*runtime)->name);
      return pv_copy_parent_acquire (options->mutable_parent, registry, &wait, error);
    }
  deployment.manifest = manifest;
  base = pv_deployment_acquire (&deployment, registry, &parent, error);
  if (base == NULL)
    return NULL;
  pv_runtime_free (*runtime);
  *runtime = g_steal_pointer (&base->runtime);
  g_ptr_array_set_size (leases, 0);
  g_ptr_array_add (leases, g_steal_pointer (&base->lock));
  return parent;
}

/* A runtime that is used, or shown, as it is.  Returns: %FALSE with @error set if it is to be used,
 * but shipped as a manifest, and has not all its files */
static gboolean
check_is_complete (const PvOptions *options, const PvReport *report, char **environment,
                  const PvRuntime *runtime, GError **error)
{
  g_autoptr (PvManifest) manifest = NULL;
  PvDeployment deployment = { options, report, environment, runtime, NULL };
  gboolean needed;

  if (runtime->layout != PV_LAYOUT_USR)
    return TRUE;
  if (!pv_manifest_find (runtime->fd, &manifest, error))
    return FALSE;
  deployment.manifest = manifest;
  if (manifest == NULL)
    return TRUE;
  if (!pv_deployment_is_needed (&deployment, &needed, error))
    return FALSE;
  if (!needed)
    return TRUE;
  if (options->mutable_parent != NULL)
    {
      pv_warning ("Runtime \"%s\" is shipped as a manifest: what is not in \"%s\" itself is not shown",
                  runtime->name, runtime->path);
      return TRUE;
    }
  pv_error_set (error, PV_ERROR_INVALID,
                "Cannot use runtime \"%s\" directly: it is shipped as the manifest \"%s\", and "
                "only some of its files are there",
                runtime->name, manifest->path);
  return pv_error_hint (error, "give --runtime-mutable-parent=DIR: it is deployed there once");
}

/* A copy of what has the copy in it would never end, and an overlay cannot be mounted. */
static gboolean
check_is_outside (const PvCopyParent *parent, const PvRuntime *runtime, GError **error)
{
  if (!pv_copy_parent_is_inside (parent, runtime->fd))
    return TRUE;
  pv_error_set (error, PV_ERROR_USAGE,
                "Cannot make a mutable copy in \"%s\": it lies in the runtime \"%s\"",
                parent->path, runtime->path);
  return pv_error_hint (error, "--runtime-mutable-parent must be a folder outside");
}

static void
report_unreadable (const PvCopy *copy, const PvRuntime *runtime)
{
  const PvUnreadable *unreadable = copy->unreadable;

  if (unreadable->count > 0)
    pv_info ("The copy lacks what cannot be read of \"%s\": %u files and folders, first \"%s\"",
             runtime->path, unreadable->count, unreadable->first);
}

static PvCopy *
make_copy (const PvOptions *options, const PvReport *report, char **environment,
           PvRuntime **runtime, PvCopySearch *search, GPtrArray *leases, GError **error)
{
  g_autoptr (PvCopyParent) parent = NULL;
  PvCopy *copy;

  if ((*runtime)->layout == PV_LAYOUT_HOST)
    {
      pv_error_set (error, PV_ERROR_USAGE, "Cannot make a mutable copy of the host's own /usr");
      return NULL;
    }
  parent = find_base (options, report, environment, runtime, leases, error);
  if (parent == NULL || !check_is_outside (parent, *runtime, error))
    return NULL;
  copy = make (options, parent, *runtime, search, error);
  if (copy == NULL)
    return NULL;

  pv_info ("Made the mutable copy \"%s\" by %s", copy->path,
           pv_copy_strategy_to_string (copy->strategy));
  report_unreadable (copy, *runtime);
  pv_report_copied (report, copy, search->skipped);
  if (!pv_copy_strategy_is_overlay (copy->strategy))
    g_ptr_array_set_size (leases, 0);
  g_ptr_array_add (leases, g_steal_pointer (&copy->lock));
  return copy;
}

/**
 * pv_sysroot_find:
 * @report: whom to tell
 * @runtime: (inout): what is run in; if it is shipped as a manifest and copied, it becomes what was
 *  deployed from that
 * @search: (inout): the strategies that are left; the copy's own becomes its next
 * @leases: (inout) (element-type PvLock): the runtime's lock; gets the copy's, and loses the
 *  runtime's where the copy does not depend on it
 * @ret_copy: (out) (transfer full) (nullable): the copy, if one is asked for
 *
 * Returns: %FALSE with @error set; %PV_ERROR_UNSUPPORTED: no strategy works
 */
gboolean
pv_sysroot_find (const PvOptions *options, const PvReport *report, char **environment,
                 PvRuntime **runtime, PvCopySearch *search, GPtrArray *leases, PvCopy **ret_copy,
                 GError **error)
{
  if (options->mutable_parent == NULL || pv_options_is_dry_run (options))
    return check_is_complete (options, report, environment, *runtime, error);
  *ret_copy = make_copy (options, report, environment, runtime, search, leases, error);
  return *ret_copy != NULL;
}

static PvSysrootOverlay
get_overlay (const PvCopy *copy)
{
  switch (copy->strategy)
    {
    case PV_COPY_OVERLAY:
      return PV_SYSROOT_OVERLAY;
    case PV_COPY_OVERLAY_BWRAP:
      return PV_SYSROOT_OVERLAY_BY_BWRAP;
    case PV_COPY_AUTO:
    case PV_COPY_REFLINK:
    case PV_COPY_HARDLINK:
    case PV_COPY_FULL:
    default:
      return PV_SYSROOT_NO_OVERLAY;
    }
}

/**
 * pv_sysroot_describe:
 * @copy: (nullable): the copy
 *
 * Returns: what is mounted; borrows from its parameters
 */
PvSysroot
pv_sysroot_describe (const PvOptions *options, const PvRuntime *runtime, const PvCopy *copy)
{
  PvSysroot sysroot = { .path = runtime->path, .fd = runtime->fd, .ref_fd = -1 };

  if (copy == NULL)
    return sysroot;
  sysroot.path = copy->path;
  sysroot.fd = copy->fd;
  sysroot.overlay = get_overlay (copy);
  sysroot.lower_path = runtime->path;
  sysroot.lower_fd = runtime->fd;
  if (sysroot.overlay != PV_SYSROOT_NO_OVERLAY)
    sysroot.sub = "upper";
  else if (runtime->layout != PV_LAYOUT_ROOT)
    sysroot.sub = "usr";
  sysroot.writable = options->writable_copy;
  sysroot.ref_path = copy->ref_path;
  sysroot.ref_fd = copy->ref_fd;
  return sysroot;
}
