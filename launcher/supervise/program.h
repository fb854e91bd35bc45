/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "supervise/orders.h"

#include <sys/types.h>

pid_t pv_program_start (const PvOrders *orders, int *ret_status);
