/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lock/lock.h"

gboolean pv_range_lock (int fd, PvLockMode mode, int timeout_ms, gboolean *ret_process_oriented);
int pv_range_get_holder (int fd, PvLockMode mode);
