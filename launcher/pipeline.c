/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The story of one launch: each step a value in and a new value out.
 *
 *   options, host -> runtime (locked) -> sysroot (locked) -> plan -> bubblewrap and its fds -> pv-supervise */
#include "pipeline.h"

#include "base/error.h"
#include "dry-run.h"
#include "lease.h"
#include "plan/plan.h"
#include "steps.h"
#include "sysroot.h"

/* Each takes some milliseconds; somebody who replaces a folder that often means to. */
#define MAX_ATTEMPTS 64

/* What bubblewrap itself did not find (its failures come with a hint) has most likely gone for good. */
#define MAX_ATTEMPTS_OF_BWRAP 4

static gboolean
run_once (const PvOptions *options, const PvReport *report, char **environment,
          PvCopySearch *search, int *ret_status, GError **error)
{
  g_autoptr (PvCopy) copy = NULL;
  g_autoptr (GPtrArray) leases = pv_leases_new ();
  g_autoptr (PvHost) host = pv_host_gather (environment, error);
  g_autoptr (PvRuntime) runtime = NULL;
  g_autoptr (PvRuntimeContents) contents = NULL;
  g_autoptr (PvPlan) plan = NULL;
  g_auto (PvOpened) opened = PV_OPENED_INIT;

  if (host == NULL || !pv_step_open (options, host, &opened, error))
    return FALSE;
  runtime = pv_lease_runtime (options, report, environment, !pv_options_is_dry_run (options),
                              leases, error);
  if (runtime == NULL
      || !pv_sysroot_find (options, report, environment, &runtime, search, leases, &copy, error))
    return FALSE;
  contents = pv_runtime_contents_read (runtime, host->zone, error);
  if (contents == NULL)
    return FALSE;
  plan = pv_step_plan (options, host, runtime, contents, copy, &opened, error);
  if (plan == NULL)
    return FALSE;
  if (pv_options_is_dry_run (options))
    return pv_dry_run_print (options, host, runtime, plan, error);
  return pv_step_start (options, report, host, &opened, plan, runtime, copy, leases, ret_status,
                        error);
}

/**
 * pv_pipeline_run:
 * @options: what the user asked for
 * @report: whom to tell how far it is
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
pv_pipeline_run (const PvOptions *options, const PvReport *report, char **environment,
                 int *ret_status, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_auto (PvCopySearch) search = pv_copy_search_init ();

  *ret_status = 0;
  for (int i = 0; i < MAX_ATTEMPTS; i++)
    {
      g_clear_error (&local_error);
      if (run_once (options, report, environment, &search, ret_status, &local_error))
        return TRUE;
      /* An overlay is mounted only when the container is started. */
      if (options->mutable_parent != NULL && pv_copy_strategy_is_overlay (search.next)
          && g_error_matches (local_error, PV_ERROR, PV_ERROR_UNSUPPORTED))
        {
          pv_copy_search_skip (&search, local_error);
          continue;
        }
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
