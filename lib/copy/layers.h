/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "runtime/runtime.h"

gboolean pv_layers_make (int copy_fd, const PvRuntime *runtime, gboolean writable,
                         GError **error);
