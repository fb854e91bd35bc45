/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

char *pv_tree_state (int dir_fd, const char *name);
void pv_tree_assert_same (const char *expected, const char *actual);
