/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

void pv_cleanup_run (int orders, bool detached);
