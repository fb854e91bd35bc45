/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

char *pv_diagnose (const char *log, gboolean privileged);
