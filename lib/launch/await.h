/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "launch/protocol.h"
#include "launch/start.h"

gboolean pv_await_message (int link, PvStarted *started, int signals, PvMessage *ret_message,
                           int *ret_ended_by);
