/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/metadata.h"

#include <glib.h>

/**
 * PvStaging: a new version of a runtime, on its way into a store.
 */
typedef struct _PvStaging PvStaging;

PvStaging *pv_staging_open (const char *store, const char *name, GError **error);
gboolean pv_staging_begin (PvStaging *staging, GError **error);
int pv_staging_get_files_fd (const PvStaging *staging);
gboolean pv_staging_has_version (const PvStaging *staging, const char *version);
char *pv_staging_commit (PvStaging *staging, const PvMetadata *metadata, GError **error);
gboolean pv_staging_abort (PvStaging *staging, GError **error);
void pv_staging_free (PvStaging *staging);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvStaging, pv_staging_free)
