/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "lock/lock.h"
#include "plan/plan.h"

/**
 * PvLaunchCopy: a mutable copy, which is removed at the end.  Everything is borrowed.
 * @path: (type filename): its folder; an overlay's layers `upper` and `work` are in it
 * @fd: its folder
 * @parent_fd: where that is
 * @overlay: whether it is an overlay, and who mounts it
 * @lower_path, @lower_fd: (type filename): the runtime, an overlay's lower layer
 * @writable: whether the program may write into an overlay
 * @ref_fd: the copy's lock file
 * @ref_target: (type filename): what it is mounted on, below the overlay
 */
typedef struct
{
  const char *path;
  int fd;
  int parent_fd;
  PvSysrootOverlay overlay;
  const char *lower_path;
  int lower_fd;
  gboolean writable;
  int ref_fd;
  const char *ref_target;
} PvLaunchCopy;

/**
 * PvLaunchInput: all that is needed to start a plan.  Everything is borrowed.
 * @plan: what the container will be
 * @bwrap: (type filename): bubblewrap
 * @supervise: (type filename): pv-supervise
 * @copy: (nullable): the mutable copy that is run from
 * @environment: (array zero-terminated=1): of the caller
 * @leases: (element-type PvLock): the locks that must be held as long as the container lives
 * @pass_fds: (element-type int): inherited fds that the program gets
 * @terminal: the fd that becomes the program's standard input, output and error, or -1
 * @wrapped: whether @program is a shell that runs what the user asked for: see pv_interactive_wrap()
 * @program: (array zero-terminated=1): the program and its arguments
 * @terminate_ms, @terminate_idle_ms: how long what the program leaves may take to end, and how long
 *  it may stay before; a negative @terminate_ms: it is left alone
 * @exit_with_parent: whether the program is asked to end when the caller has gone
 * @status_fd: where `pv-supervise` reports the status, or -1
 * @began: when the launch did: nanoseconds of CLOCK_MONOTONIC
 * @on_started: (nullable): called when the program runs; may return a child that has nothing to do
 *  with the container, or 0
 * @data: for @on_started
 */
typedef struct
{
  const PvPlan *plan;
  const char *bwrap;
  const char *supervise;
  const PvLaunchCopy *copy;
  char **environment;
  GPtrArray *leases;
  GArray *pass_fds;
  int terminal;
  gboolean wrapped;
  char **program;
  int terminate_ms;
  int terminate_idle_ms;
  gboolean exit_with_parent;
  int status_fd;
  gint64 began;
  pid_t (*on_started) (pid_t program, gpointer data);
  gpointer data;
} PvLaunchInput;

gboolean pv_launch_exec (const PvLaunchInput *input, int *ret_status, GError **error);
