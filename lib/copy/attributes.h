/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

gboolean pv_attributes_copy (int source_fd, const struct stat *st, int dest_fd, GError **error);
gboolean pv_attributes_copy_at (int source_dir, const struct stat *st, int dest_dir,
                                const char *name, GError **error);
