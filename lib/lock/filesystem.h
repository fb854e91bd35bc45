/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvFilesystemKind: how far a lock on a file there reaches.
 * @PV_FILESYSTEM_LOCAL: every process of this machine sees it
 * @PV_FILESYSTEM_REMOTE: whether other machines see it depends on a server or a user-space process
 * @PV_FILESYSTEM_OVERLAY: only users of the same mount see it
 */
typedef enum
{
  PV_FILESYSTEM_LOCAL,
  PV_FILESYSTEM_REMOTE,
  PV_FILESYSTEM_OVERLAY,
} PvFilesystemKind;

PvFilesystemKind pv_filesystem_get_kind (int fd, const char **ret_name);
PvFilesystemKind pv_filesystem_kind_of_magic (guint32 magic, const char **ret_name);
