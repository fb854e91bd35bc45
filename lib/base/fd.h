/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* An fd that is closed when it goes out of scope.  errno is kept. */
#define pv_autofd __attribute__ ((cleanup (pv_fd_clear))) int

void pv_fd_clear (int *fd);
int pv_fd_steal (int *fd);
gboolean pv_fd_set_inherited (int fd, gboolean inherited, GError **error);
gboolean pv_fd_is_open (int fd);
int pv_fd_memfd (const char *name, gconstpointer data, gsize length, GError **error);
gboolean pv_fd_write_all (int fd, gconstpointer data, gsize length, GError **error);
char *pv_fd_read_all (int fd, gsize limit, gsize *ret_length, GError **error);
char *pv_fd_get_path (int fd);
gboolean pv_fd_protect_stdio (GError **error);
gboolean pv_fd_close_on_exec_above_stdio (GError **error);
