/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "lock/lock.h"
#include "plan/plan.h"

/**
 * PvLaunchInput: all that is needed to start a plan.  Everything is borrowed.
 * @plan: what the container will be
 * @bwrap: (type filename): bubblewrap
 * @supervise: (type filename): pv-supervise
 * @environment: (array zero-terminated=1): of the caller
 * @leases: (element-type PvLock): the locks that must be held as long as the container lives
 * @pass_fds: (element-type int): inherited fds that the program gets
 * @terminal: the fd that becomes the program's standard input, output and error, or -1
 * @wrapped: whether @program is a shell that runs what the user asked for: see pv_interactive_wrap()
 * @program: (array zero-terminated=1): the program and its arguments
 */
typedef struct
{
  const PvPlan *plan;
  const char *bwrap;
  const char *supervise;
  char **environment;
  GPtrArray *leases;
  GArray *pass_fds;
  int terminal;
  gboolean wrapped;
  char **program;
} PvLaunchInput;

gboolean pv_launch_exec (const PvLaunchInput *input, int *ret_status, GError **error);
