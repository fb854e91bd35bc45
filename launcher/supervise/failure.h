/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

bool pv_failure_is_script (const char *path);
int pv_failure_explain (const char *name, const char *path, int failure);
