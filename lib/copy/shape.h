/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_shape_is_copy (int fd);
gboolean pv_shape_is_trash (int fd, const char *name);
