/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/metadata.h"

#include <glib.h>

/**
 * PvStoreEntry: one version of a runtime in a store.  Immutable.
 * @metadata: from `runtime.json`; where there is none, what the folders say, and `version` is %NULL
 *  for a runtime that somebody put there without `versions/`
 * @path: (type filename): what `--runtime` takes: `STORE/NAME` for the current version,
 *  `STORE/NAME/versions/VERSION` for the others
 * @current: `STORE/NAME/files` leads to this version
 * @problem: (nullable): why it cannot be used, in one line
 */
typedef struct
{
  PvMetadata *metadata;
  char *path;
  gboolean current;
  char *problem;
} PvStoreEntry;

char *pv_store_get_data_home (char **environment);
char **pv_store_get_dirs (char **environment);
gboolean pv_store_is_name (const char *name);
GPtrArray *pv_store_list (const char *const *dirs, GError **error);
