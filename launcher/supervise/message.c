/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/**
 * pv_message_send:
 *
 * Returns: false if the other side has gone
 */
bool
pv_message_send (int link, PvMessageKind kind, int value)
{
  PvMessage message = { .kind = kind, .value = value };

  /* Who passes signals on must not be stopped by who is stopped; a signal more or less is lost. */
  int flags = MSG_NOSIGNAL | (kind == PV_MESSAGE_SIGNAL ? MSG_DONTWAIT : 0);

  return PV_RETRY (send (link, &message, sizeof message, flags)) == sizeof message;
}

/**
 * pv_message_receive:
 * @link: a non-blocking read is made
 *
 * Returns: 1 with a message; 0: there is none now; -1: the other side has gone
 */
int
pv_message_receive (int link, PvMessage *ret_message)
{
  long got = PV_RETRY (recv (link, ret_message, sizeof *ret_message, MSG_DONTWAIT));

  if (got == (long) sizeof *ret_message)
    return 1;
  return got < 0 && errno == EAGAIN ? 0 : -1;
}

/**
 * pv_status_from_wait:
 * @wait_status: from waitpid(2), of a process that has ended
 *
 * Returns: the exit status that says so, as a shell has it
 */
int
pv_status_from_wait (int wait_status)
{
  if (WIFSIGNALED (wait_status))
    return PV_STATUS_SIGNAL_BASE + WTERMSIG (wait_status);
  return WEXITSTATUS (wait_status);
}

/**
 * pv_parse_fd:
 *
 * Returns: the number, or -1
 */
int
pv_parse_fd (const char *text)
{
  char *end;
  long number = strtol (text, &end, 10);

  return end != text && *end == '\0' && number >= 0 && number <= 0x7fffffff ? (int) number : -1;
}

/**
 * pv_option_value:
 * @argument: `--name=value`
 * @name: `--name=`
 *
 * Returns: the value, or NULL if it is another option
 */
const char *
pv_option_value (const char *argument, const char *name)
{
  size_t length = strlen (name);

  return strncmp (argument, name, length) == 0 ? argument + length : NULL;
}

/* A control character: one byte, or two that are one of U+0080 to U+009F in UTF-8. */
static int
count_control_bytes (const unsigned char *text)
{
  if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f)
    return 2;
  return text[0] < 0x20 || text[0] == 0x7f ? 1 : 0;
}

/* A name that somebody else chose must not forge a line or move the cursor. */
static void
escape (const char *text, char *out, size_t size)
{
  size_t length = 0;

  while (*text != '\0' && length + sizeof "\\xff\\xff" < size)
    {
      int controls = count_control_bytes ((const unsigned char *) text);

      if (controls == 0)
        out[length++] = *text++;
      for (; controls > 0; controls--)
        length += (size_t) snprintf (out + length, size - length, "\\x%02x",
                                     (unsigned char) *text++);
    }
  out[length] = '\0';
}

/**
 * pv_complain:
 *
 * Writes one line to standard error, under the name of the program that the user started.
 */
void
pv_complain (const char *format, ...)
{
  char text[2048];
  char line[4 * sizeof text];
  va_list args;
  int length;

  va_start (args, format);
  length = vsnprintf (text, sizeof text, format, args);
  va_end (args);
  if (length < 0)
    return;
  escape (text, line, sizeof line);
  dprintf (STDERR_FILENO, "pv-launch: %s\n", line);
}
