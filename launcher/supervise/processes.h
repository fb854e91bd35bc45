/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* More than anybody has before a launch; those beyond are overlooked. */
#define PV_MAX_PIDS 1024

/**
 * PvPids: processes that are left alone: children that this process had before the launch.
 * @were_any: whether there have been any: they can leave children of their own, which come to this
 *  process, and are left alone as well
 */
typedef struct
{
  pid_t pids[PV_MAX_PIDS];
  size_t count;
  bool were_any;
} PvPids;

void pv_pids_parse (PvPids *pids, const char *text);
void pv_pids_remove (PvPids *pids, pid_t pid);
bool pv_processes_has_children (const PvPids *but);
void pv_processes_signal_descendants (const PvPids *but, int number);
void pv_processes_signal_with_children (pid_t pid, int number);
