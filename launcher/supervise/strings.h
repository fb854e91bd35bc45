/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

char **pv_strings_map (int fd, size_t *ret_count);
