/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"
#include "pipeline.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "launch/protocol.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As env(1): what the launcher itself returns when it fails. */
#define STATUS_FAILED 125

static gboolean
print (const char *text, GError **error)
{
  return pv_fd_write_all (STDOUT_FILENO, text, strlen (text), error);
}

static gboolean
run (int argc, char **argv, PvReport *report, int *ret_status, GError **error)
{
  g_autoptr (PvOptions) options = NULL;

  *ret_status = EXIT_SUCCESS;
  if (!pv_fd_protect_stdio (error))
    return FALSE;
  options = pv_options_parse (argc, argv, environ, error);
  if (options == NULL)
    return FALSE;

  if (options->action == PV_ACTION_HELP)
    {
      g_autofree char *help = pv_options_get_help ();

      return print (help, error);
    }
  if (options->action == PV_ACTION_VERSION)
    return print ("pv-launch " PV_VERSION "\n", error);

  report->fd = options->status_fd;
  pv_log_set_level (options->log_level);
  return pv_fd_close_on_exec_above_stdio (error)
         && pv_pipeline_run (options, report, environ, ret_status, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  PvReport report = { .fd = -1, .began = pv_protocol_now () };
  int status;

  pv_log_init ("pv-launch");
  /* Where the caller ignores it, nobody could be waited for. */
  signal (SIGCHLD, SIG_DFL);
  if (!run (argc, argv, &report, &status, &error))
    status = STATUS_FAILED;
  if (status != EXIT_SUCCESS)
    pv_report_failed (&report, status, error);
  if (error == NULL)
    return status;
  pv_log_error (error);
  return STATUS_FAILED;
}
