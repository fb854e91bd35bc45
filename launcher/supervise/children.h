/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* More than anybody has; those beyond are overlooked. */
#define PV_MAX_CHILDREN 1024

/**
 * PvChildren: pids of children of this process.
 */
typedef struct
{
  pid_t pids[PV_MAX_CHILDREN];
  size_t count;
} PvChildren;

void pv_children_parse (PvChildren *children, const char *text, const PvChildren *but);
void pv_children_list (PvChildren *children, const PvChildren *but);
