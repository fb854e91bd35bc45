/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvManifest: the list of files beside a runtime that is shipped as one.  Immutable.
 * @path: (type filename): where it is, absolute
 * @fd: the file, open for reading
 * @digest: names what is deployed from it: see pv_manifest_find()
 */
typedef struct
{
  char *path;
  int fd;
  char *digest;
} PvManifest;

gboolean pv_manifest_find (int files_fd, PvManifest **ret_manifest, GError **error);
gboolean pv_manifest_is_current (const char *path, const char *digest);
gboolean pv_manifest_is_digest (const char *text);
void pv_manifest_free (PvManifest *manifest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvManifest, pv_manifest_free)
