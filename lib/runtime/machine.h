/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_machine_check (int runtime_fd, const char *machine, const char *runtime_name,
                           GError **error);
