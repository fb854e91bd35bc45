/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps of a launch that turn options into what the layers want. */
#include "steps.h"

#include "base/error.h"
#include "clean-beside.h"
#include "base/fd.h"
#include "helpers.h"
#include "host/bwrap.h"
#include "launch/launch.h"
#include "plan/plan.h"
#include "plan/shares.h"
#include "sysroot.h"

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
              const PvRuntimeContents *contents, const PvCopy *copy, const PvOpened *opened,
              GError **error)
{
  g_autoptr (GPtrArray) edits = pv_options_get_edits (options, runtime->layout == PV_LAYOUT_HOST);
  const PvPlanInput input = {
    .runtime = runtime,
    .contents = contents,
    .sysroot = pv_sysroot_describe (options, runtime, copy),
    .host = host,
    .shares = options->shares,
    .home_kind = options->home_kind,
    .private_home = opened->home,
    .share_pid = options->share_pid,
    .share_net = options->share_net,
    .edits = edits,
  };
  PvPlan *plan = pv_plan_new (&input, error);

  for (guint i = 0; plan != NULL && i < plan->notices->len; i++)
    pv_warning ("%s", (const char *) g_ptr_array_index (plan->notices, i));
  return plan;
}

/**
 * Started: what happens when the program runs.
 * @copy: (nullable)
 */
typedef struct
{
  const PvReport *report;
  const PvCopy *copy;
  char **environment;
} Started;

static pid_t
on_started (pid_t program, gpointer data)
{
  const Started *started = data;

  pv_report_started (started->report, program);
  return started->copy != NULL ? pv_clean_beside (started->copy, started->environment) : 0;
}

/**
 * pv_step_start:
 * @report: whom to tell that the program runs
 * @copy: (nullable): the mutable copy of @runtime
 * @leases: (element-type PvLock): what is held as long as the container lives
 *
 * Returns: as pv_launch_exec()
 */
gboolean
pv_step_start (const PvOptions *options, const PvReport *report, const PvHost *host,
               const PvOpened *opened, const PvPlan *plan, const PvRuntime *runtime,
               const PvCopy *copy, GPtrArray *leases, int *ret_status, GError **error)
{
  g_autofree char *supervise = pv_helper_get_path ("pv-supervise", host->environment);
  g_autofree char *lower = copy != NULL ? pv_fd_get_path (runtime->fd) : NULL;
  const PvLaunchCopy launch_copy = {
    .path = copy != NULL ? copy->path : NULL,
    .fd = copy != NULL ? copy->fd : -1,
    .parent_fd = copy != NULL ? copy->parent_fd : -1,
    .overlay = pv_sysroot_describe (options, runtime, copy).overlay,
    .lower_path = lower,
    .lower_fd = runtime->fd,
    .writable = options->writable_copy,
    .ref_fd = copy != NULL ? copy->ref_fd : -1,
    .ref_target = runtime->layout == PV_LAYOUT_ROOT ? "usr/.ref" : ".ref",
  };
  Started started = { report, copy, host->environment };
  const PvLaunchInput input = {
    .plan = plan,
    .bwrap = opened->bwrap,
    .copy = copy != NULL ? &launch_copy : NULL,
    .supervise = supervise,
    .environment = host->environment,
    .leases = leases,
    .pass_fds = options->pass_fds,
    .terminal = opened->terminal,
    .wrapped = options->wrapped,
    .program = options->program,
    .terminate_ms = options->terminate_ms,
    .terminate_idle_ms = options->terminate_idle_ms,
    .exit_with_parent = options->exit_with_parent,
    .status_fd = report->fd,
    .began = report->began,
    .on_started = on_started,
    .data = &started,
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

void
pv_opened_clear (PvOpened *opened)
{
  g_clear_pointer (&opened->home, pv_host_path_free);
  g_clear_pointer (&opened->bwrap, g_free);
  pv_fd_clear (&opened->terminal);
}

/**
 * pv_step_open:
 * @opened: (inout): what was found
 *
 * What can be refused without the runtime is refused before anything is locked or written.
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_step_open (const PvOptions *options, const PvHost *host, PvOpened *opened, GError **error)
{
  if (!pv_shares_check (options->shares, error)
      || !pv_shares_check_home (options->home_kind, host, options->shares, error))
    return FALSE;
  if (options->home != NULL && (opened->home = open_home (options->home, error)) == NULL)
    return FALSE;
  if (pv_options_is_dry_run (options))
    return TRUE;
  if (options->terminal == PV_TERMINAL_TTY && options->action == PV_ACTION_RUN
      && (opened->terminal = open_terminal (error)) < 0)
    return FALSE;
  return (opened->bwrap = pv_bwrap_find (host->environment, error)) != NULL;
}
