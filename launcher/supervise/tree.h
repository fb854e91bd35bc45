/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

int pv_tree_open (int parent, const char *name, int flags, mode_t *ret_former);
void pv_tree_delete (int parent, const char *name);
