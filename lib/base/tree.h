/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

int pv_tree_make (const char *path, mode_t mode, GError **error);
int pv_tree_make_at (int dir_fd, const char *name, mode_t mode, GError **error);
gboolean pv_tree_remove_at (int dir_fd, const char *name, GError **error);
