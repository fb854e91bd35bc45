/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "launch/fd-set.h"
#include "launch/launch.h"

/**
 * PvStarted: who takes part in a launch, as they are seen from here.
 * @bwrap: bubblewrap
 * @inside: the supervisor inside; 0: not known yet
 * @program: the program; 0: not known yet
 * @before: (array zero-terminated=1): children that this process had before
 */
typedef struct
{
  pid_t bwrap;
  pid_t inside;
  pid_t program;
  char **before;
} PvStarted;

pid_t pv_start_bwrap (const PvLaunchInput *input, const PvFdSet *set, char **argv,
                      const sigset_t *mask, GError **error);
gboolean pv_start_wait (const PvLaunchInput *input, PvFdSet *set, PvStarted *started, int signals,
                        int *ret_status, GError **error);
char **pv_start_list_children (void);
gboolean pv_start_is_ours (const PvStarted *started, const char *text);
void pv_start_end_orphans (const PvStarted *started);
