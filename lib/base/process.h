/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

GArray *pv_process_list (void);
char *pv_process_get_command (pid_t pid);
