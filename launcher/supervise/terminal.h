/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

void pv_terminal_take_back (void);
