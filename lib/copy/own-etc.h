/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "runtime/runtime.h"

#define PV_OWN_ETC "etc"

gboolean pv_own_etc_is_wanted (const PvRuntime *runtime, gboolean *ret_is_there);
gboolean pv_own_etc_keep (int fd, GError **error);
gboolean pv_own_etc_make (int copy_fd, const PvRuntime *runtime, GError **error);
