/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "launch/launch.h"

/**
 * PvFdSet: every fd of a launch, and who gets it.  Owns what is not said to be borrowed.
 * @inherited: (element-type int): what bubblewrap inherits; borrowed
 * @files: (element-type int): one for each file of the plan
 * @supervise: the program inside, to be executed through this fd: it needs no mount
 * @link_inside, @link_outside: the two ends of the socket between the supervisors
 * @error_output: the caller's standard error, for the program
 * @errors: where bubblewrap's own standard error goes
 * @parent: a pidfd of this process's parent, if the container is to end with it; or -1
 * @inside_leases: (element-type PvLock): for the supervisor inside
 * @program_leases: (element-type PvLock): for the program
 */
typedef struct
{
  GArray *inherited;
  GArray *files;
  int supervise;
  int link_inside;
  int link_outside;
  int error_output;
  int errors;
  int parent;
  GPtrArray *inside_leases;
  GPtrArray *program_leases;
} PvFdSet;

PvFdSet *pv_fd_set_new (const PvLaunchInput *input, GError **error);
void pv_fd_set_free (PvFdSet *set);
int pv_fd_set_add_strings (PvFdSet *set, const char *name, const GPtrArray *strings,
                           GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvFdSet, pv_fd_set_free)
