/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The story of one launch: each step a value in and a new value out.
 *
 *   options, host -> runtime (locked) -> plan -> bubblewrap and its fds -> pv-supervise */
#include "pipeline.h"

#include "base/error.h"
#include "dry-run.h"
#include "helpers.h"
#include "host/bwrap.h"
#include "launch/launch.h"
#include "lease.h"
#include "plan/plan.h"
#include "plan/shares.h"

#include <sys/stat.h>

/* Each takes some milliseconds; somebody who replaces a folder that often means to. */
#define MAX_ATTEMPTS 64

/* What bubblewrap itself did not find (its failures come with a hint) has most likely gone for good. */
#define MAX_ATTEMPTS_OF_BWRAP 4

static gboolean
is_dry_run (const PvOptions *options)
{
  return options->action == PV_ACTION_DRY_RUN_TEXT || options->action == PV_ACTION_DRY_RUN_JSON
         || options->action == PV_ACTION_DRY_RUN_ARGV;
}

static PvPlan *
make_plan (const PvOptions *options, const PvHost *host, const PvRuntime *runtime,
           const PvRuntimeContents *contents, const PvHostPath *home, GError **error)
{
  g_autoptr (GPtrArray) edits = pv_options_get_edits (options, runtime->layout == PV_LAYOUT_HOST);
  const PvPlanInput input = {
    .runtime = runtime,
    .contents = contents,
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

static gboolean
start (const PvOptions *options, const PvHost *host, const char *bwrap, const PvPlan *plan,
       GPtrArray *leases, int *ret_status, GError **error)
{
  g_autofree char *supervise = pv_helper_get_path ("pv-supervise", host->environment);
  const PvLaunchInput input = {
    .plan = plan,
    .bwrap = bwrap,
    .supervise = supervise,
    .environment = host->environment,
    .leases = leases,
    .pass_fds = options->pass_fds,
    .program = options->program,
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

/* What can be refused without the runtime is refused before anything is locked or written. */
static gboolean
check (const PvOptions *options, const PvHost *host, PvHostPath **ret_home, char **ret_bwrap,
       GError **error)
{
  if (!pv_shares_check (options->shares, error)
      || !pv_shares_check_home (options->home_kind, host, options->shares, error))
    return FALSE;
  if (options->home != NULL && (*ret_home = open_home (options->home, error)) == NULL)
    return FALSE;
  return is_dry_run (options) || (*ret_bwrap = pv_bwrap_find (host->environment, error)) != NULL;
}

static gboolean
run_once (const PvOptions *options, char **environment, int *ret_status, GError **error)
{
  g_autoptr (GPtrArray) leases = pv_leases_new ();
  g_autoptr (PvHost) host = pv_host_gather (environment, error);
  g_autoptr (PvRuntime) runtime = NULL;
  g_autoptr (PvRuntimeContents) contents = NULL;
  g_autoptr (PvHostPath) home = NULL;
  g_autoptr (PvPlan) plan = NULL;
  g_autofree char *bwrap = NULL;

  if (host == NULL || !check (options, host, &home, &bwrap, error))
    return FALSE;
  runtime = pv_lease_runtime (options, environment, !is_dry_run (options), leases, error);
  contents = runtime == NULL ? NULL : pv_runtime_contents_read (runtime, host->zone, error);
  if (contents == NULL)
    return FALSE;
  plan = make_plan (options, host, runtime, contents, home, error);
  if (plan == NULL)
    return FALSE;
  if (is_dry_run (options))
    return pv_dry_run_print (options, host, runtime, plan, error);
  return start (options, host, bwrap, plan, leases, ret_status, error);
}

/**
 * pv_pipeline_run:
 * @options: what the user asked for
 * @environment: (array zero-terminated=1): of the caller
 * @ret_status: (out): the exit status
 *
 * Bubblewrap takes paths. If one of them has come to lead elsewhere between its resolution and its
 * mount, all is done afresh, with what the names mean then.
 *
 * Returns: %TRUE with @ret_status if there is nothing to be run, or if the program could not be
 *  started and that has been said; %FALSE with @error set.  A launch that succeeds does not return:
 *  the process becomes `pv-supervise`.
 */
gboolean
pv_pipeline_run (const PvOptions *options, char **environment, int *ret_status, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  *ret_status = 0;
  for (int i = 0; i < MAX_ATTEMPTS; i++)
    {
      g_clear_error (&local_error);
      if (run_once (options, environment, ret_status, &local_error))
        return TRUE;
      if (!g_error_matches (local_error, PV_ERROR, PV_ERROR_CHANGED)
          || (pv_error_get_hint (local_error) != NULL && i + 1 >= MAX_ATTEMPTS_OF_BWRAP))
        break;
      pv_debug ("Starting afresh: %s", local_error->message);
      /* What there is to warn of has been said. */
      if (pv_log_get_level () < PV_LOG_DEBUG)
        pv_log_set_level (PV_LOG_ERROR);
    }
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}
