/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

gboolean pv_bwrap_failure_set (char *text, GError **error);
