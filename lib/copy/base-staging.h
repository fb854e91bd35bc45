/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "lock/lock.h"

/**
 * PvBaseStaging: a runtime that is being deployed, `DIR/.new-DIGEST`, exclusively locked.
 */
typedef struct _PvBaseStaging PvBaseStaging;

PvBaseStaging *pv_base_staging_begin (int parent_fd, const char *digest, const char *manifest,
                                      const PvLockWait *wait, GError **error);
gboolean pv_base_staging_is_name (const char *name);
int pv_base_staging_get_usr_fd (const PvBaseStaging *staging);
gboolean pv_base_staging_commit (PvBaseStaging *staging, GError **error);
void pv_base_staging_free (PvBaseStaging *staging);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvBaseStaging, pv_base_staging_free)
