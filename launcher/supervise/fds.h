/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void pv_fds_close_all_but (const int *kept, size_t n_kept);
bool pv_fds_set_close_on_exec (int fd, bool close_on_exec);
