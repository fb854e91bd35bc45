/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "copy/manifest.h"
#include "copy/parent.h"
#include "runtime/runtime.h"

/**
 * PvBase: a runtime that was deployed from a manifest, `DIR/base-DIGEST`, which nobody removes while
 * this is held.
 * @runtime: (nullable): what is in it, as a runtime; can be taken from here
 * @lock: (nullable): on its `usr/.ref`, shared; can be taken from here
 */
typedef struct
{
  PvRuntime *runtime;
  PvLock *lock;
} PvBase;

PvBase *pv_base_acquire (const PvCopyParent *parent, const PvManifest *manifest, const char *name,
                         GError **error);
gboolean pv_base_await (const char *parent, const PvManifest *manifest, const PvLockWait *wait,
                        GError **error);
gboolean pv_base_is_name (const char *name);
char *pv_base_get_current (int parent_fd, const char *name);
void pv_base_free (PvBase *base);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvBase, pv_base_free)
