/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bootstrap.h"
#include "runtime/metadata.h"

#include <glib.h>

gboolean pv_extract (PvBootstrap *bootstrap, int files_fd, PvLayout layout, PvProgress *progress,
                     GError **error);
