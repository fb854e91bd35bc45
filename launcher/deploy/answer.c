/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes through the pipe from pv-deploy to the launcher, in one line of words, or, after a
 * failure, as three strings, each with its NUL: the code, the message, and a hint or nothing. */
#include "deploy/answer.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define FORMAT "done %d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u %u"

/**
 * pv_answer_write:
 * @error: (nullable): what went wrong
 *
 * Returns: (transfer full): bytes
 */
char *
pv_answer_write (const PvAnswer *answer, const GError *error, gsize *ret_length)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *hint = pv_error_get_hint (error);

  if (error == NULL)
    {
      g_string_printf (text, FORMAT, answer->needed, answer->device, answer->inode,
                       answer->n_linked, answer->n_copied);
    }
  else
    {
      g_string_printf (text, "%d", error->domain == PV_ERROR ? error->code : PV_ERROR_FAILED);
      g_string_append_c (text, '\0');
      g_string_append_len (text, error->message, (gssize) strlen (error->message) + 1);
      g_string_append (text, hint != NULL ? hint : "");
      g_string_append_c (text, '\0');
    }
  *ret_length = text->len;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/**
 * pv_answer_read:
 * @text: what came through the pipe, and a NUL
 * @length: without that
 *
 * Returns: %FALSE with @error set to what went wrong
 */
gboolean
pv_answer_read (const char *text, gsize length, PvAnswer *ret_answer, GError **error)
{
  const char *end = text + length;
  const char *message = text + MIN (strlen (text) + 1, length);
  const char *hint = message < end ? message + strlen (message) + 1 : end;
  guint64 code;

  if (sscanf (text, FORMAT, &ret_answer->needed, &ret_answer->device, &ret_answer->inode,
              &ret_answer->n_linked, &ret_answer->n_copied)
      == 5)
    return TRUE;
  if (message >= end || hint >= end || end[-1] != '\0'
      || !g_ascii_string_to_unsigned (text, 10, 0, PV_ERROR_INVALID, &code, NULL))
    return pv_error_set (error, PV_ERROR_FAILED,
                         "Cannot deploy the runtime: pv-deploy has ended "
                         "unexpectedly");
  pv_error_set (error, (PvErrorCode) code, "%s", message);
  if (hint[0] != '\0')
    pv_error_hint (error, "%s", hint);
  return FALSE;
}
