/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps of a launch that turn options into what the layers want. */
#include "steps.h"

#include "base/error.h"
#include "helpers.h"
#include "host/bwrap.h"
#include "launch/launch.h"
#include "plan/plan.h"
#include "plan/shares.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/**
 * pv_step_plan:
 *
 * Returns: (transfer full): the plan, after its notices have been said; or %NULL with @error set
 */
PvPlan *
pv_step_plan (const PvOptions *options, const PvHost *host, const PvRuntime *runtime,
              const PvRuntimeContents *contents, const PvSysroot *sysroot,
              const PvHostPath *home, GError **error)
{
  g_autoptr (GPtrArray) edits = pv_options_get_edits (options, runtime->layout == PV_LAYOUT_HOST);
  const PvPlanInput input = {
    .runtime = runtime,
    .contents = contents,
    .sysroot = *sysroot,
    .host = host,
    .shares = options->shares,
    .home_kind = options->home_kind,
    .private_home = home,
    .share_pid = options->share_pid,
    .share_net = options->share_net,
    .edits = edits,
  };
  PvPlan *plan = pv_plan_new (&input, error);

  for (guint i = 0; plan != NULL && i < plan->notices->len; i++)
    pv_warning ("%s", (const char *) g_ptr_array_index (plan->notices, i));
  return plan;
}

static void
report_started (pid_t program, gpointer report)
{
  pv_report_started (report, program);
}

/**
 * pv_step_start:
 * @report: whom to tell that the program runs
 * @bwrap: (type filename): bubblewrap
 * @leases: (element-type PvLock): what is held as long as the container lives
 * @terminal: what the program gets as its standard input, output and error, or -1
 *
 * Returns: as pv_launch_exec()
 */
gboolean
pv_step_start (const PvOptions *options, const PvReport *report, const PvHost *host,
               const char *bwrap, const PvPlan *plan, const PvOverlay *overlay, GPtrArray *leases,
               int terminal, int *ret_status, GError **error)
{
  g_autofree char *supervise = pv_helper_get_path ("pv-supervise", host->environment);
  const PvLaunchInput input = {
    .plan = plan,
    .bwrap = bwrap,
    .overlay = overlay,
    .supervise = supervise,
    .environment = host->environment,
    .leases = leases,
    .pass_fds = options->pass_fds,
    .terminal = terminal,
    .wrapped = options->wrapped,
    .program = options->program,
    .terminate_ms = options->terminate_ms,
    .terminate_idle_ms = options->terminate_idle_ms,
    .exit_with_parent = options->exit_with_parent,
    .status_fd = report->fd,
    .began = report->began,
    .on_started = report_started,
    .data = (gpointer) report,
  };

  if (options->action == PV_ACTION_ONLY_PREPARE)
    return TRUE;
  return pv_launch_exec (&input, ret_status, error);
}

static PvHostPath *
open_home (const char *path, GError **error)
{
  g_autoptr (PvHostPath) home = pv_host_path_open (path, error);
  struct stat st;

  if (home == NULL || (fstat (home->fd, &st) == 0 && S_ISDIR (st.st_mode)))
    return g_steal_pointer (&home);
  pv_error_set (error, PV_ERROR_USAGE, "Cannot use --home=%s: not a folder", path);
  return NULL;
}

static int
open_terminal (GError **error)
{
  int fd = open ("/dev/tty", O_RDWR | O_CLOEXEC);

  if (fd >= 0)
    return fd;
  pv_error_set_errno (error, errno, "Cannot open the controlling terminal \"/dev/tty\"");
  pv_error_hint (error, "--terminal=tty is for those who start pv-launch from a terminal; "
                        "--terminal=xterm opens a window");
  return -1;
}

/**
 * pv_step_check:
 * @ret_home: (out) (nullable): the private home
 * @ret_bwrap: (out) (type filename): bubblewrap; not looked for if the plan is only printed
 * @ret_terminal: (out): what the program gets as its standard input, output and error, or -1
 *
 * What can be refused without the runtime is refused before anything is locked or written.
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_step_check (const PvOptions *options, const PvHost *host, PvHostPath **ret_home,
               char **ret_bwrap, int *ret_terminal, GError **error)
{
  if (!pv_shares_check (options->shares, error)
      || !pv_shares_check_home (options->home_kind, host, options->shares, error))
    return FALSE;
  if (options->home != NULL && (*ret_home = open_home (options->home, error)) == NULL)
    return FALSE;
  if (pv_options_is_dry_run (options))
    return TRUE;
  if (options->terminal == PV_TERMINAL_TTY && options->action == PV_ACTION_RUN
      && (*ret_terminal = open_terminal (error)) < 0)
    return FALSE;
  return (*ret_bwrap = pv_bwrap_find (host->environment, error)) != NULL;
}
