/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

const char *pv_reserved_find (const char *path);
gboolean pv_path_is_at_or_below (const char *path, const char *folder);
