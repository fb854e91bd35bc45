/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvMountKind: what is put into the container's root.
 * @PV_MOUNT_BIND: a file or folder of the host, writable
 * @PV_MOUNT_BIND_READ_ONLY: the same, read-only
 * @PV_MOUNT_BIND_DEVICES: the same, and its device nodes can be used
 * @PV_MOUNT_OVERLAY: an overlay of two folders of the host, writable
 * @PV_MOUNT_OVERLAY_READ_ONLY: the same, read-only
 * @PV_MOUNT_PROC: a procfs of the container's PID namespace
 * @PV_MOUNT_TMPFS: an empty, writable filesystem
 * @PV_MOUNT_FOLDER: an empty folder; no mount
 * @PV_MOUNT_LINK: a symbolic link; no mount
 * @PV_MOUNT_FILE: a file with given contents; no mount
 */
typedef enum
{
  PV_MOUNT_BIND,
  PV_MOUNT_BIND_READ_ONLY,
  PV_MOUNT_BIND_DEVICES,
  PV_MOUNT_OVERLAY,
  PV_MOUNT_OVERLAY_READ_ONLY,
  PV_MOUNT_PROC,
  PV_MOUNT_TMPFS,
  PV_MOUNT_FOLDER,
  PV_MOUNT_LINK,
  PV_MOUNT_FILE,
} PvMountKind;

/**
 * PvMount: one thing in the container's root.  Immutable.
 * @kind: what it is
 * @dest: (type filename): where it appears
 * @source: (type filename) (nullable): a bind's path on the host, or that of an overlay's upper
 *  layer, for messages and for those who want to do it by hand; a link's target; the host's file
 *  that has a file's contents, if there is one
 * @fd: the folder or file of @source, borrowed from whoever resolved it, or -1 where only root could
 *  change what @source means
 * @sub: (type filename) (nullable): below @fd
 * @lower_source, @lower_fd, @lower_sub: (type filename) (nullable): an overlay's lower layer
 * @layered: what lies there now is not what will be mounted: that is an overlay
 * @replaces: a file or link may be there already, in a folder that is mounted, and goes
 * @data: (nullable): a file's contents
 * @mode: permissions of a folder, or 0 for the default
 * @reason: (transfer none): why it is there, in a few words
 */
typedef struct
{
  PvMountKind kind;
  char *dest;
  char *source;
  int fd;
  char *sub;
  char *lower_source;
  int lower_fd;
  char *lower_sub;
  gboolean layered;
  gboolean replaces;
  GBytes *data;
  guint mode;
  const char *reason;
} PvMount;

GPtrArray *pv_mounts_new (void);
void pv_mounts_bind (GPtrArray *mounts, PvMountKind kind, const char *source, int fd,
                     const char *sub, const char *dest, const char *reason);
void pv_mounts_layer (GPtrArray *mounts);
void pv_mounts_overlay (GPtrArray *mounts, PvMountKind kind, const char *lower_source, int lower_fd,
                        const char *lower_sub);
void pv_mounts_make (GPtrArray *mounts, PvMountKind kind, const char *dest, guint mode,
                     const char *reason);
void pv_mounts_link (GPtrArray *mounts, const char *target, const char *dest, const char *reason);
void pv_mounts_file (GPtrArray *mounts, GBytes *data, const char *origin, const char *dest,
                     const char *reason);

void pv_mounts_replace (GPtrArray *mounts, guint first);

GPtrArray *pv_mounts_add_parents (GPtrArray *mounts);

gboolean pv_mount_is_real (const PvMount *mount);
gboolean pv_mount_is_bind (const PvMount *mount);
gboolean pv_mount_is_overlay (const PvMount *mount);
const char *pv_mount_kind_to_option (PvMountKind kind);
