/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "option-values.h"
#include "options.h"

gboolean pv_copy_options_parse (PvOptions *self, const PvOptionValue *values, GError **error);
