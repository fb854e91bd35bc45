/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/error.h"
#include "base/escape.h"

#include <string.h>
#include <unistd.h>

static const char *const level_names[] = { "error", "warning", "info", "debug" };

static const char *log_program = "pv-launch";
static PvLogLevel log_level = PV_LOG_WARNING;

/**
 * pv_log_init:
 * @program: (transfer none): the name in front of every line; must live for ever
 */
void
pv_log_init (const char *program)
{
  log_program = program;
}

void
pv_log_set_level (PvLogLevel level)
{
  log_level = level;
}

PvLogLevel
pv_log_get_level (void)
{
  return log_level;
}

/**
 * pv_log_level_from_string:
 * @text: `error`, `warning`, `info` or `debug`
 * @ret_level: (out): the level
 *
 * Returns: %FALSE if @text is none of them
 */
gboolean
pv_log_level_from_string (const char *text, PvLogLevel *ret_level)
{
  for (gsize i = 0; i < G_N_ELEMENTS (level_names); i++)
    {
      if (strcmp (text, level_names[i]) == 0)
        {
          *ret_level = (PvLogLevel) i;
          return TRUE;
        }
    }
  return FALSE;
}

const char *
pv_log_level_to_string (PvLogLevel level)
{
  return level_names[level];
}

/* One write for one line, so that lines of several processes do not mix. */
static void
write_line (const char *prefix, const char *text)
{
  g_autofree char *line = pv_escape_controls (text);
  g_autofree char *whole = g_strdup_printf ("%s%s\n", prefix, line);
  ssize_t ignored G_GNUC_UNUSED;

  ignored = write (STDERR_FILENO, whole, strlen (whole));
}

/**
 * pv_log:
 * @level: dropped if it is above the level that was set
 * @format: one line without a newline; control characters are escaped
 *
 * Writes a line to standard error.
 */
void
pv_log (PvLogLevel level, const char *format, ...)
{
  g_autofree char *prefix = NULL;
  g_autofree char *text = NULL;
  va_list args;

  if (level > log_level)
    return;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);

  if (level == PV_LOG_ERROR)
    prefix = g_strdup_printf ("%s: ", log_program);
  else
    prefix = g_strdup_printf ("%s: %s: ", log_program, level_names[level]);
  write_line (prefix, text);
}

/**
 * pv_log_error:
 * @error: what went wrong
 *
 * Writes the error's line and, where there is one, the line `hint: …`.
 */
void
pv_log_error (const GError *error)
{
  const char *hint = pv_error_get_hint (error);

  pv_log (PV_LOG_ERROR, "%s", error->message);
  if (hint != NULL)
    write_line ("hint: ", hint);
}
