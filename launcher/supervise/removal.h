/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

void pv_removal_run (int parent, const char *name, bool detached);
