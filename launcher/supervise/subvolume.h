/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

bool pv_subvolume_delete (int parent, const char *name, int folder);
