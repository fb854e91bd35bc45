/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turns what bubblewrap wrote before it failed (standard input) into one line and a hint.  Started
 * by pv-supervise, only then: nothing of this is on the way to a program. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/userns.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STATUS_FAILED 125
#define MAX_TEXT (64 * 1024)

/* What bubblewrap 0.4 to 0.11 says when it gets no user namespace. */
static const char *const about_userns[] = {
  "namespace",
  "uid map",
  "gid map",
  "Operation not permitted",
  "Permission denied",
};

static gboolean
is_about_userns (const char *text)
{
  for (gsize i = 0; i < G_N_ELEMENTS (about_userns); i++)
    {
      if (strstr (text, about_userns[i]) != NULL)
        return TRUE;
    }
  return FALSE;
}

/* Its last line is the one that it died of. */
static const char *
get_last_line (char *text)
{
  char *newline;

  g_strchomp (text);
  newline = strrchr (text, '\n');
  return newline != NULL ? newline + 1 : text;
}

static gboolean
explain (GError **error)
{
  g_autofree char *text = pv_fd_read_all (STDIN_FILENO, MAX_TEXT, NULL, NULL);
  pv_autofd root_fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char *line = text != NULL ? get_last_line (text) : "";

  if (is_about_userns (line) && getuid () != 0 && pv_userns_is_blocked (root_fd, error))
    return FALSE;
  if (line[0] == '\0')
    return pv_error_set (error, PV_ERROR_FAILED,
                         "Cannot start bubblewrap: it ended without a word before the program ran");
  pv_error_set (error, PV_ERROR_FAILED, "Cannot start the container: %s", line);
  return pv_error_hint (error, "pv-launch --dry-run shows what was to be mounted, and why");
}

int
main (void)
{
  g_autoptr (GError) error = NULL;

  pv_log_init ("pv-launch");
  explain (&error);
  pv_log_error (error);
  return STATUS_FAILED;
}
