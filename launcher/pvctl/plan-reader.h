/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

GPtrArray *pvctl_plan_read (const char *const *options, GError **error);
