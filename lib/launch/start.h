/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "launch/fd-set.h"
#include "launch/launch.h"

pid_t pv_start_bwrap (const PvLaunchInput *input, const PvFdSet *set, char **argv,
                      const sigset_t *mask, GError **error);
gboolean pv_start_wait (const PvLaunchInput *input, PvFdSet *set, pid_t bwrap, char **before,
                        int signals, int *ret_status, GError **error);
char **pv_start_list_children (void);
void pv_start_end_orphans (pid_t bwrap, char **before);
