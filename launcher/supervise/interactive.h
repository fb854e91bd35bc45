/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

void pv_interactive_signal (pid_t wrapper, int number);
void pv_interactive_take_terminal_back (void);
