/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

int pv_trash_move (int parent_fd, const char *name, char **ret_trash);
