/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The code carries the decision, the message the facts.  A message is one line: capital letter,
 * verb, quoted object, reason, no full stop.  A hint is what the user can do about it. */
#define PV_ERROR (pv_error_quark ())

/**
 * PvErrorCode:
 * @PV_ERROR_FAILED: something that no caller can do anything about
 * @PV_ERROR_USAGE: what the user asked for makes no sense
 * @PV_ERROR_NOT_FOUND: the object does not exist
 * @PV_ERROR_BUSY: somebody else holds a lock in the way
 * @PV_ERROR_CHANGED: a name no longer leads to what it led to: look it up again
 * @PV_ERROR_UNSUPPORTED: the kernel or the filesystem cannot do this
 * @PV_ERROR_INVALID: the object is there, but it is not what it must be
 */
typedef enum
{
  PV_ERROR_FAILED,
  PV_ERROR_USAGE,
  PV_ERROR_NOT_FOUND,
  PV_ERROR_BUSY,
  PV_ERROR_CHANGED,
  PV_ERROR_UNSUPPORTED,
  PV_ERROR_INVALID,
} PvErrorCode;

GQuark pv_error_quark (void);

gboolean pv_error_set (GError **error, PvErrorCode code, const char *format, ...)
  G_GNUC_PRINTF (3, 4);
gboolean pv_error_set_errno (GError **error, int saved_errno, const char *format, ...)
  G_GNUC_PRINTF (3, 4);
gboolean pv_error_hint (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
const char *pv_error_get_hint (const GError *error);
