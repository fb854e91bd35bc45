/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/metadata.h"

#include <glib.h>

char *pv_mapping_map (PvLayout layout, const char *path);
gboolean pv_mapping_is_unmerged (const char *path);
