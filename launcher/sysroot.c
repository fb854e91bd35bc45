/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the program's /usr comes from: the runtime itself, or a mutable copy of it. */
#include "sysroot.h"

#include "base/error.h"
#include "base/log.h"
#include "copy/registry.h"
#include "lease.h"

static gboolean
is_allowed (const PvOptions *options, PvCopyStrategy strategy)
{
  if (options->copy_strategy != PV_COPY_AUTO)
    return strategy == options->copy_strategy;
  return strategy != PV_COPY_HARDLINK || !options->writable_copy;
}

/* By the first strategy that works. */
static PvCopy *
make (const PvOptions *options, const PvCopyParent *parent, const PvRuntime *runtime,
      PvCopyStrategy first, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  for (PvCopyStrategy strategy = MAX (first, PV_COPY_OVERLAY); strategy <= PV_COPY_FULL; strategy++)
    {
      PvCopy *copy;

      if (!is_allowed (options, strategy))
        continue;
      g_clear_error (&local_error);
      copy = pv_copy_new (parent, runtime, strategy, options->keep_copy, &local_error);
      if (copy != NULL)
        return copy;
      if (!g_error_matches (local_error, PV_ERROR, PV_ERROR_UNSUPPORTED))
        break;
      pv_info ("%s", local_error->message);
    }
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

/**
 * pv_sysroot_make_copy:
 * @report: whom to tell that it waits for a cleaner
 * @first: the first strategy to be tried
 * @leases: (inout) (element-type PvLock): the runtime's lock; gets the copy's, and loses the
 *  runtime's where the copy does not depend on it
 *
 * Returns: (transfer full): the copy, or %NULL with @error set; %PV_ERROR_UNSUPPORTED: no strategy
 *  works
 */
PvCopy *
pv_sysroot_make_copy (const PvOptions *options, const PvReport *report, char **environment,
                      const PvRuntime *runtime, PvCopyStrategy first, GPtrArray *leases,
                      GError **error)
{
  const PvWaiting waiting = { .options = options, .report = report };
  const PvLockWait wait = pv_lease_wait (&waiting);
  g_autofree char *registry = pv_registry_get_path (environment);
  g_autoptr (PvCopyParent) parent = NULL;
  PvCopy *copy;

  if (runtime->layout == PV_LAYOUT_HOST)
    {
      pv_error_set (error, PV_ERROR_USAGE, "Cannot make a mutable copy of the host's own /usr");
      return NULL;
    }
  parent = pv_copy_parent_acquire (options->mutable_parent, registry, &wait, error);
  copy = parent == NULL ? NULL : make (options, parent, runtime, first, error);
  if (copy == NULL)
    return NULL;

  pv_info ("Made the mutable copy \"%s\" by %s", copy->path,
           pv_copy_strategy_to_string (copy->strategy));
  if (copy->strategy != PV_COPY_OVERLAY)
    g_ptr_array_set_size (leases, 0);
  g_ptr_array_add (leases, g_steal_pointer (&copy->lock));
  return copy;
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
  if (copy->strategy == PV_COPY_OVERLAY)
    sysroot.sub = "m";
  else if (runtime->layout != PV_LAYOUT_ROOT)
    sysroot.sub = "usr";
  sysroot.layered = copy->strategy == PV_COPY_OVERLAY;
  sysroot.writable = options->writable_copy;
  sysroot.ref_path = copy->ref_path;
  sysroot.ref_fd = copy->ref_fd;
  return sysroot;
}
