/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/escape.h"

#include <glib.h>

/* U+0080 to U+009F, in UTF-8: terminals take U+009B for the beginning of an escape sequence. */
static gboolean
is_c1 (const char *text)
{
  return (guchar) text[0] == 0xc2 && (guchar) text[1] >= 0x80 && (guchar) text[1] <= 0x9f;
}

/**
 * pv_escape_controls:
 * @text: what is to be shown; a name that somebody else chose may be in it
 *
 * Returns: (transfer full): the same on one line, with control characters as `\xHH`, so that none
 *  can move the cursor or forge a line; all other text is left as it is
 */
char *
pv_escape_controls (const char *text)
{
  GString *out = g_string_new ("");

  for (const char *c = text; *c != '\0'; c++)
    {
      if (is_c1 (c))
        {
          g_string_append_printf (out, "\\x%02x\\x%02x", (guchar) c[0], (guchar) c[1]);
          c++;
        }
      else if ((guchar) *c < 0x20 || *c == 0x7f)
        {
          g_string_append_printf (out, "\\x%02x", (guchar) *c);
        }
      else
        {
          g_string_append_c (out, *c);
        }
    }
  return g_string_free (out, FALSE);
}
