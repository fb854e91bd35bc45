/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

char *pv_helper_get_path (const char *name, char **environment);
