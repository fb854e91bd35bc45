/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "host/host.h"
#include "plan/environment.h"
#include "plan/mount.h"
#include "runtime/contents.h"
#include "runtime/runtime.h"

/**
 * PvShareRequest: a path of the host that was asked for.
 * @path: resolved
 * @read_only: whether it is to be read-only
 */
typedef struct
{
  PvHostPath *path;
  gboolean read_only;
} PvShareRequest;

/**
 * PvHomeKind: which home folder the program gets.
 * @PV_HOME_SHARED: the user's own
 * @PV_HOME_PRIVATE: another folder at the same path
 * @PV_HOME_EMPTY: an empty one that is gone afterwards
 */
typedef enum
{
  PV_HOME_SHARED,
  PV_HOME_PRIVATE,
  PV_HOME_EMPTY,
} PvHomeKind;

/**
 * PvSysrootOverlay: who mounts an overlay.
 * @PV_SYSROOT_NO_OVERLAY: there is none
 * @PV_SYSROOT_OVERLAY: ourselves, together with the lock file, when the container is started
 * @PV_SYSROOT_OVERLAY_BY_BWRAP: bubblewrap
 */
typedef enum
{
  PV_SYSROOT_NO_OVERLAY,
  PV_SYSROOT_OVERLAY,
  PV_SYSROOT_OVERLAY_BY_BWRAP,
} PvSysrootOverlay;

/**
 * PvSysroot: where the files of the runtime are mounted from.
 * @path: (type filename): a folder, for messages and for those who want to do it by hand
 * @fd: the folder, borrowed
 * @sub: (type filename) (nullable): below it
 * @writable: whether the program may write into it
 * @overlay: who mounts an overlay there, whose upper layer it is
 * @lower_path, @lower_fd: (type filename) (nullable): the lower layer, for bubblewrap; borrowed
 * @ref_path: (type filename) (nullable): the lock file that is mounted over the one in it
 * @ref_fd: the same, borrowed; -1: none is
 */
typedef struct
{
  const char *path;
  int fd;
  const char *sub;
  gboolean writable;
  PvSysrootOverlay overlay;
  const char *lower_path;
  int lower_fd;
  const char *ref_path;
  int ref_fd;
} PvSysroot;

/**
 * PvPlanInput: all that a plan is made from.  Everything is borrowed.
 * @runtime, @contents: what is run in
 * @sysroot: where it is mounted from: the runtime itself, or a copy
 * @host: where
 * @shares: (element-type PvShareRequest): what was asked for by name
 * @home_kind: which home
 * @private_home: (nullable): the folder, for %PV_HOME_PRIVATE
 * @share_pid, @share_net: whether these namespaces are the host's
 * @edits: (element-type PvEnvironmentEdit): what the user changes in the environment
 */
typedef struct
{
  const PvRuntime *runtime;
  const PvRuntimeContents *contents;
  PvSysroot sysroot;
  const PvHost *host;
  GPtrArray *shares;
  PvHomeKind home_kind;
  const PvHostPath *private_home;
  gboolean share_pid;
  gboolean share_net;
  GPtrArray *edits;
} PvPlanInput;

/**
 * PvPlan: what the container will be.  Immutable; borrows fds from its input.
 * @mounts: (element-type PvMount): in the order in which they are made
 * @edits: (element-type PvEnvironmentEdit): against the caller's environment
 * @cwd: (type filename): the program's current folder
 * @share_pid, @share_net: whether these namespaces are the host's
 * @notices: (element-type utf8): what the user should be told
 */
typedef struct
{
  GPtrArray *mounts;
  GPtrArray *edits;
  char *cwd;
  gboolean share_pid;
  gboolean share_net;
  GPtrArray *notices;
} PvPlan;

PvPlan *pv_plan_new (const PvPlanInput *input, GError **error);
void pv_plan_free (PvPlan *plan);
guint pv_plan_count_mounts (const PvPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvPlan, pv_plan_free)
