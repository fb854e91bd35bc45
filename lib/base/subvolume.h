/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_subvolume_is (int fd);
gboolean pv_subvolume_delete (int dir_fd, const char *name, int fd);
