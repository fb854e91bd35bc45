/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "runtime/layout.h"

/**
 * PvMetadata: what `runtime.json` says about one version of a runtime.
 * @name: the runtime's name in the store
 * @display_name: (nullable): for people
 * @version: the name of its folder in `versions/`
 * @suite: (nullable): the distribution's release
 * @architecture: (nullable): as the distribution calls it
 * @source: (nullable): from where it came
 * @created: (nullable): ISO 8601, UTC
 */
typedef struct
{
  char *name;
  char *display_name;
  char *version;
  char *suite;
  PvLayout layout;
  char *architecture;
  char *source;
  char *created;
} PvMetadata;

#define PV_METADATA_FILE "runtime.json"

PvMetadata *pv_metadata_parse (const char *text, gsize length, const char *path, GError **error);
PvMetadata *pv_metadata_load_at (int version_fd, GError **error);
char *pv_metadata_to_json (const PvMetadata *metadata);
PvMetadata *pv_metadata_copy (const PvMetadata *metadata);
void pv_metadata_free (PvMetadata *metadata);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvMetadata, pv_metadata_free)
