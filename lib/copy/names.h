/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvName: one name in a folder.
 * @name: (type filename): without a slash; borrowed from its #PvNames
 * @type: as readdir(3) has it: `DT_REG`, ...; never `DT_UNKNOWN`
 */
typedef struct
{
  const char *name;
  unsigned char type;
} PvName;

/**
 * PvNames: what is in a folder, but for `.` and `..`, as the filesystem orders it.  Immutable.
 * @chunk: owns the names
 * @folders: (element-type PvName): those that are folders
 * @others: (element-type PvName): all else
 */
typedef struct
{
  GStringChunk *chunk;
  GArray *folders;
  GArray *others;
} PvNames;

PvNames *pv_names_read (int fd, const GPtrArray *excluded, GError **error);
void pv_names_free (PvNames *names);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvNames, pv_names_free)
