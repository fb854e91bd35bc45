/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/bwrap-failure.h"

#include "base/error.h"
#include "base/fd.h"
#include "host/userns.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What bubblewrap 0.4 to 0.11 says when it gets no user namespace. */
static const char *const about_userns[] = {
  "namespace", "uid map", "gid map",
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

/**
 * pv_bwrap_failure_set:
 * @text: (inout): what bubblewrap wrote before it failed
 * @error: (out): one line, and a hint
 *
 * Says why bubblewrap could not start a container.  If it did not find something that was there a
 * moment ago, the code is %PV_ERROR_CHANGED; if it cannot mount overlays, %PV_ERROR_UNSUPPORTED.
 *
 * Returns: always %FALSE
 */
gboolean
pv_bwrap_failure_set (char *text, GError **error)
{
  pv_autofd root_fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char *line = get_last_line (text);
  PvErrorCode code = PV_ERROR_FAILED;

  if (is_about_userns (line) && getuid () != 0 && pv_userns_is_blocked (root_fd, error))
    return FALSE;
  if (line[0] == '\0')
    return pv_error_set (error, PV_ERROR_FAILED,
                         "Cannot start bubblewrap: it ended without a word before the program ran");

  if (strstr (line, "No such file or directory") != NULL)
    code = PV_ERROR_CHANGED;
  else if (strstr (line, "overlay") != NULL)
    code = PV_ERROR_UNSUPPORTED;
  pv_error_set (error, code, "Cannot start the container: %s", line);
  return pv_error_hint (error, "pv-launch --dry-run shows what was to be mounted, and why");
}
