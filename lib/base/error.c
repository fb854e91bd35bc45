/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <errno.h>

typedef struct
{
  char *hint; /* owned, nullable */
} PvErrorPrivate;

static void
pv_error_private_init (PvErrorPrivate *priv)
{
  priv->hint = NULL;
}

static void
pv_error_private_copy (const PvErrorPrivate *src, PvErrorPrivate *dest)
{
  dest->hint = g_strdup (src->hint);
}

static void
pv_error_private_clear (PvErrorPrivate *priv)
{
  g_free (priv->hint);
}

G_DEFINE_EXTENDED_ERROR (PvError, pv_error)

/**
 * pv_error_set:
 * @error: (out) (optional): where to put the error
 * @code: the decision that callers can make
 * @format: the message: one line that names the object and the reason
 *
 * Returns: always %FALSE, so that a caller can return the call itself
 */
gboolean
pv_error_set (GError **error, PvErrorCode code, const char *format, ...)
{
  va_list args;

  if (error == NULL)
    return FALSE;

  va_start (args, format);
  *error = g_error_new_valist (PV_ERROR, (int) code, format, args);
  va_end (args);
  return FALSE;
}

/**
 * pv_error_set_errno:
 * @error: (out) (optional): where to put the error
 * @saved_errno: the `errno` of the call that failed; it chooses the code
 * @format: what could not be done, and to which object; `: <strerror>` is appended
 *
 * Returns: always %FALSE
 */
gboolean
pv_error_set_errno (GError **error, int saved_errno, const char *format, ...)
{
  g_autofree char *what = NULL;
  PvErrorCode code;
  va_list args;

  if (error == NULL)
    return FALSE;

  switch (saved_errno)
    {
    case ENOENT:
    case ENOTDIR:
      code = PV_ERROR_NOT_FOUND;
      break;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENOLCK:
      code = PV_ERROR_UNSUPPORTED;
      break;
    default:
      code = PV_ERROR_FAILED;
      break;
    }

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  return pv_error_set (error, code, "%s: %s", what, g_strerror (saved_errno));
}

/**
 * pv_error_hint:
 * @error: (inout) (optional): an error of %PV_ERROR that was just set
 * @format: one line that says what the user can do
 *
 * Adds a hint to an error.  An earlier hint is replaced.
 *
 * Returns: always %FALSE
 */
gboolean
pv_error_hint (GError **error, const char *format, ...)
{
  PvErrorPrivate *priv;
  va_list args;

  if (error == NULL || *error == NULL || (*error)->domain != PV_ERROR)
    return FALSE;

  priv = pv_error_get_private (*error);
  g_free (priv->hint);
  va_start (args, format);
  priv->hint = g_strdup_vprintf (format, args);
  va_end (args);
  return FALSE;
}

/**
 * pv_error_get_hint:
 * @error: (nullable): any error
 *
 * Returns: (nullable) (transfer none): the hint, if there is one
 */
const char *
pv_error_get_hint (const GError *error)
{
  if (error == NULL || error->domain != PV_ERROR)
    return NULL;
  return pv_error_get_private (error)->hint;
}
