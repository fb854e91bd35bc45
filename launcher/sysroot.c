/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the program's /usr comes from: the runtime itself, or a mutable copy of it. */
#include "sysroot.h"

#include "copy/registry.h"

/**
 * pv_sysroot_make_copy:
 * @leases: (inout) (element-type PvLock): gets the copy's lock
 * @ret_copy: (out) (nullable): the copy, if one is asked for
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_sysroot_make_copy (const PvOptions *options, char **environment, const PvRuntime *runtime,
                      GPtrArray *leases, PvCopy **ret_copy, GError **error)
{
  const PvLockWait wait = { .timeout_ms = options->lock_timeout_ms };
  g_autofree char *registry = NULL;
  g_autoptr (PvCopyParent) parent = NULL;

  if (options->mutable_parent == NULL)
    return TRUE;
  registry = pv_registry_get_path (environment);
  parent = pv_copy_parent_acquire (options->mutable_parent, registry, &wait, error);
  if (parent == NULL)
    return FALSE;
  *ret_copy = pv_copy_new (parent, runtime, PV_COPY_OVERLAY, error);
  if (*ret_copy == NULL)
    return FALSE;
  g_ptr_array_add (leases, g_steal_pointer (&(*ret_copy)->lock));
  return TRUE;
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
  if (copy == NULL)
    return (PvSysroot) { .path = runtime->path, .fd = runtime->fd, .ref_fd = -1 };
  return (PvSysroot) {
    .path = copy->path,
    .fd = copy->fd,
    .sub = "m",
    .writable = options->writable_copy,
    .layered = TRUE,
    .ref_path = copy->ref_path,
    .ref_fd = copy->ref_fd,
  };
}
