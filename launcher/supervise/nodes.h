/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "supervise/orders.h"

bool pv_nodes_make (const PvOrders *orders);
