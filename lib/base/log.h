/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvLogLevel: how much is said on standard error; each level includes the ones before it.
 */
typedef enum
{
  PV_LOG_ERROR,
  PV_LOG_WARNING,
  PV_LOG_INFO,
  PV_LOG_DEBUG,
} PvLogLevel;

void pv_log_init (const char *program);
void pv_log_set_level (PvLogLevel level);
PvLogLevel pv_log_get_level (void);
gboolean pv_log_level_from_string (const char *text, PvLogLevel *ret_level);
const char *pv_log_level_to_string (PvLogLevel level);
void pv_log (PvLogLevel level, const char *format, ...) G_GNUC_PRINTF (2, 3);
void pv_log_error (const GError *error);

/* Libraries use only this one: whoever decides, logs. */
#define pv_debug(...) pv_log (PV_LOG_DEBUG, __VA_ARGS__)
#define pv_info(...) pv_log (PV_LOG_INFO, __VA_ARGS__)
#define pv_warning(...) pv_log (PV_LOG_WARNING, __VA_ARGS__)
