/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_tree_can_snapshot (int fd);
gboolean pv_tree_snapshot (int source_fd, int parent_fd, const char *name, GError **error);
