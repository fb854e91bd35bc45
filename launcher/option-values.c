/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was said of one option, as a value of one kind. */
#include "option-values.h"

#include "base/error.h"
#include "base/fd.h"

#include <string.h>

/* Longer than any session, and no overflow in milliseconds. */
#define MAX_SECONDS 1000000

/**
 * pv_option_set_invalid:
 * @text: what was said
 * @reason: what is wrong with it
 *
 * Returns: %FALSE, with @error set to what names the option, and where it was said
 */
gboolean
pv_option_set_invalid (GError **error, const PvOptionValue *values, PvOptionId id, const char *text,
                       const char *reason)
{
  const char *source = values[id].source;

  if (g_strcmp0 (source, "argv") == 0)
    return pv_error_set (error, PV_ERROR_USAGE, "Cannot use --%s=%s: %s", pv_option_get_name (id),
                         text, reason);
  return pv_error_set (error, PV_ERROR_USAGE, "Cannot use --%s=%s (from %s): %s",
                       pv_option_get_name (id), text, source, reason);
}

/**
 * pv_option_refuse:
 * @ids: (array length=n_ids): options that would be ignored
 * @reason: why
 *
 * Returns: %FALSE with @error set if one of them was said, other than with 0
 */
gboolean
pv_option_refuse (const PvOptionValue *values, const PvOptionId *ids, gsize n_ids,
                  const char *reason, GError **error)
{
  for (gsize i = 0; i < n_ids; i++)
    {
      const char *text = pv_option_value_get (values, ids[i]);

      if (text != NULL && strcmp (text, "0") != 0)
        return pv_option_set_invalid (error, values, ids[i], text, reason);
    }
  return TRUE;
}

/**
 * pv_option_get_boolean:
 * @fallback: if nothing was said
 * @ret_value: (out): whether what was said is a yes
 *
 * Returns: %FALSE with @error set if it is neither
 */
gboolean
pv_option_get_boolean (const PvOptionValue *values, PvOptionId id, gboolean fallback,
                       gboolean *ret_value, GError **error)
{
  const char *text = pv_option_value_get (values, id);

  *ret_value = text != NULL ? strcmp (text, "1") == 0 : fallback;
  if (text != NULL && !*ret_value && strcmp (text, "0") != 0)
    return pv_option_set_invalid (error, values, id, text, "it must be 0 or 1");
  return TRUE;
}

/**
 * pv_option_get_choice:
 * @choices: (array zero-terminated=1): what can be said
 * @ret_index: (out): of what was said; 0 if nothing was
 *
 * Returns: %FALSE with @error set if it is none of them
 */
gboolean
pv_option_get_choice (const PvOptionValue *values, PvOptionId id, const char *const *choices,
                      guint *ret_index, GError **error)
{
  const char *text = pv_option_value_get (values, id);
  g_autofree char *all = g_strjoinv (", ", (char **) choices);
  g_autofree char *reason = g_strdup_printf ("it must be one of %s", all);

  *ret_index = 0;
  if (text == NULL)
    return TRUE;
  for (guint i = 0; choices[i] != NULL; i++)
    {
      if (strcmp (choices[i], text) == 0)
        {
          *ret_index = i;
          return TRUE;
        }
    }
  return pv_option_set_invalid (error, values, id, text, reason);
}

/**
 * pv_option_get_seconds:
 * @fallback: if nothing was said
 * @ret_seconds: (out): with a fraction
 *
 * A negative @fallback means that there is no limit, and that this can be said, by any negative
 * number.
 *
 * Returns: %FALSE with @error set if it is no such number
 */
gboolean
pv_option_get_seconds (const PvOptionValue *values, PvOptionId id, double fallback,
                       double *ret_seconds, GError **error)
{
  const char *text = pv_option_value_get (values, id);
  const char *digits = text;
  char *end;

  *ret_seconds = fallback;
  if (text == NULL)
    return TRUE;
  if (fallback < 0 && text[0] == '-')
    digits++;
  *ret_seconds = g_ascii_strtod (text, &end);
  if (end == text || *end != '\0' || digits[strspn (digits, "0123456789.")] != '\0'
      || !(*ret_seconds <= MAX_SECONDS))
    return pv_option_set_invalid (error, values, id, text, "it must be a number of seconds");
  return TRUE;
}

/**
 * pv_option_parse_fd:
 * @text: one of the things that were said
 *
 * Returns: the number of an open file descriptor, or -1 with @error set
 */
int
pv_option_parse_fd (const PvOptionValue *values, PvOptionId id, const char *text, GError **error)
{
  guint64 number;
  const char *reason = NULL;

  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &number, NULL))
    reason = "it is not a file descriptor's number";
  else if (!pv_fd_is_open ((int) number))
    reason = "no such file descriptor is open";
  if (reason == NULL)
    return (int) number;
  pv_option_set_invalid (error, values, id, text, reason);
  return -1;
}
