/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "option-table.h"

gboolean pv_option_set_invalid (GError **error, const PvOptionValue *values, PvOptionId id,
                                const char *text, const char *reason);
gboolean pv_option_refuse (const PvOptionValue *values, const PvOptionId *ids, gsize n_ids,
                           const char *reason, GError **error);
gboolean pv_option_get_boolean (const PvOptionValue *values, PvOptionId id, gboolean fallback,
                                gboolean *ret_value, GError **error);
gboolean pv_option_get_choice (const PvOptionValue *values, PvOptionId id,
                               const char *const *choices, guint *ret_index, GError **error);
gboolean pv_option_get_seconds (const PvOptionValue *values, PvOptionId id, double fallback,
                                double *ret_seconds, GError **error);
int pv_option_parse_fd (const PvOptionValue *values, PvOptionId id, const char *text,
                        GError **error);
