/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * PvPlace: where a folder is, as the kernel says it in `/proc`.
 * @device: of the filesystem, which is not `st_dev` on a btrfs subvolume; 0: not known
 * @root: (type filename) (nullable): its path in that filesystem; %NULL: not known
 * @path: (type filename): its path for this process
 */
typedef struct
{
  dev_t device;
  char *root;
  char *path;
} PvPlace;

/**
 * PvMountLine: what a line of `/proc/PID/mountinfo` says.
 * @id: of the mount
 * @device: of the filesystem
 * @root: (type filename): what of the filesystem is mounted
 * @point: (type filename): where
 */
typedef struct
{
  guint64 id;
  dev_t device;
  char *root;
  char *point;
} PvMountLine;

gboolean pv_mount_line_parse (const char *text, PvMountLine *ret_line);
void pv_mount_line_clear (PvMountLine *line);

PvPlace *pv_place_find (const char *mountinfo, guint64 mount_id, const char *path);
PvPlace *pv_place_of (int fd);
PvPlace *pv_place_inside (const PvPlace *self, const char *name);
void pv_place_free (PvPlace *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvPlace, pv_place_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PvMountLine, pv_mount_line_clear)
