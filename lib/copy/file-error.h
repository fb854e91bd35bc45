/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_file_error_set (GError **error, int saved_errno, const char *what, int dir_fd,
                            const char *name);
gboolean pv_file_error_set_unsupported (GError **error, int saved_errno, const char *what,
                                        int dir_fd, const char *name);
gboolean pv_file_error_set_changed (GError **error, int dir_fd, const char *name);
