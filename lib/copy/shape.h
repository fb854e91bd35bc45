/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_shape_is_copy (int fd, const char *name);
gboolean pv_shape_is_trash (int fd, const char *name);
