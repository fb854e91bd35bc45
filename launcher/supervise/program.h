/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <sys/types.h>

pid_t pv_program_start (char **argv, int terminal, const sigset_t *mask, int *ret_status);
