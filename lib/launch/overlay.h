/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "launch/launch.h"

const char *pv_overlay_mount (const PvLaunchCopy *copy);
gboolean pv_overlay_make_deletable (int copy_fd);
