/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dry-run.h"

#include "base/fd.h"
#include "host/bwrap.h"
#include "launch/shell-command.h"
#include "plan/print.h"

#include <string.h>
#include <unistd.h>

static char *
format (const PvOptions *options, const PvHost *host, const PvRuntime *runtime, const PvPlan *plan,
        GError **error)
{
  const PvPlanReport report = {
    .runtime = runtime,
    .options = options->printable,
    .plan = plan,
    .program = options->program,
  };
  g_autofree char *bwrap = NULL;

  if (options->action == PV_ACTION_DRY_RUN_TEXT)
    return pv_plan_to_text (&report);
  if (options->action == PV_ACTION_DRY_RUN_JSON)
    return pv_plan_to_json (&report);

  bwrap = pv_bwrap_find (host->environment, error);
  return bwrap == NULL ? NULL
                       : pv_shell_command (plan, bwrap, host->environment, options->program,
                                           options->terminal == PV_TERMINAL_TTY);
}

/**
 * pv_dry_run_print:
 *
 * Prints the plan on standard output, in the form that was asked for.
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_dry_run_print (const PvOptions *options, const PvHost *host, const PvRuntime *runtime,
                  const PvPlan *plan, GError **error)
{
  g_autofree char *text = format (options, host, runtime, plan, error);

  return text != NULL && pv_fd_write_all (STDOUT_FILENO, text, strlen (text), error);
}
