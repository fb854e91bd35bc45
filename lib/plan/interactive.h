/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvShell: whether there is an interactive shell beside the program.
 * @PV_SHELL_NONE: there is none
 * @PV_SHELL_AFTER: when the program has ended
 * @PV_SHELL_FAIL: when it has ended with a status other than 0
 * @PV_SHELL_INSTEAD: the program is not run
 */
typedef enum
{
  PV_SHELL_NONE,
  PV_SHELL_AFTER,
  PV_SHELL_FAIL,
  PV_SHELL_INSTEAD,
} PvShell;

/**
 * PvTerminal: which terminal the program gets.
 * @PV_TERMINAL_NONE: its input and output are the caller's, whatever they are
 * @PV_TERMINAL_TTY: the caller's controlling terminal
 * @PV_TERMINAL_XTERM: a window of its own
 */
typedef enum
{
  PV_TERMINAL_NONE,
  PV_TERMINAL_TTY,
  PV_TERMINAL_XTERM,
} PvTerminal;

const char *pv_shell_to_string (PvShell shell);
char **pv_interactive_wrap (char **program, PvShell shell, PvTerminal terminal);
