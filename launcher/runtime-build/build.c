/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build.h"
#include "base/error.h"
#include "base/fd.h"
#include "bootstrap.h"
#include "diagnose.h"
#include "extract.h"
#include "progress.h"
#include "runtime/staging.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LAST_LINES 30

/* They are blocked for good, so that nothing interrupts the clean-up. */
static int
open_signal_fd (GError **error)
{
  sigset_t signals;
  int fd = -1;

  sigemptyset (&signals);
  sigaddset (&signals, SIGHUP);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGTERM);
  if (sigprocmask (SIG_BLOCK, &signals, NULL) == 0)
    fd = signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0)
    pv_error_set_errno (error, errno, "Cannot listen for signals");
  return fd;
}

static void
show_last_lines (const char *log)
{
  g_auto (GStrv) lines = g_strsplit (log, "\n", -1);
  guint count = g_strv_length (lines);

  for (guint i = count > LAST_LINES ? count - LAST_LINES : 0; i < count; i++)
    {
      g_autofree char *line = g_strescape (lines[i], "\"\\'");

      if (line[0] != '\0')
        fprintf (stderr, "  %s\n", line);
    }
}

/* If mmdebstrap failed, that is why the archive is not what it should be. */
static gboolean
explain (const PvBuild *build, PvBootstrap *bootstrap, const GError *extract_error,
         GError **error)
{
  gboolean privileged = geteuid () == 0;
  g_autoptr (GError) local_error = NULL;
  g_autofree char *hint = NULL;

  if (pv_bootstrap_get_signal (bootstrap) != 0)
    return pv_error_set (error, PV_ERROR_FAILED, "Cannot build runtime \"%s\": stopped by a signal",
                         build->name);
  if (pv_bootstrap_finish (bootstrap, &local_error))
    {
      pv_error_set (error, PV_ERROR_FAILED, "Cannot build runtime \"%s\": %s", build->name,
                    extract_error->message);
      if (pv_error_get_hint (extract_error) != NULL)
        pv_error_hint (error, "%s", pv_error_get_hint (extract_error));
      return FALSE;
    }

  pv_error_set (error, PV_ERROR_FAILED, "Cannot build runtime \"%s\" from recipe \"%s\": %s",
                build->name, build->recipe->path, local_error->message);
  hint = pv_diagnose (pv_bootstrap_get_log (bootstrap), privileged);
  pv_error_hint (error, "%s", hint);
  return FALSE;
}

static gboolean
fill (const PvBuild *build, PvStaging *staging, PvBootstrap *bootstrap, PvProgress *progress,
      GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean ok;

  if (!pv_staging_begin (staging, error))
    return FALSE;
  ok = pv_extract (bootstrap, pv_staging_get_files_fd (staging), build->layout, progress,
                   &local_error)
       && pv_bootstrap_finish (bootstrap, &local_error);
  if (ok)
    return TRUE;

  explain (build, bootstrap, local_error, error);
  pv_progress_clear (progress);
  if (build->verbose)
    show_last_lines (pv_bootstrap_get_log (bootstrap));
  return FALSE;
}

static char *
commit (const PvBuild *build, PvStaging *staging, GError **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *created = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");
  g_autofree char *source = g_strdup_printf ("recipe %s", build->recipe->name);
  const PvMetadata metadata = {
    .name = (char *) build->name,
    .display_name = build->recipe->display_name,
    .version = (char *) build->version,
    .suite = build->recipe->suite,
    .layout = build->layout,
    .architecture = (char *) build->architecture,
    .source = source,
    .created = created,
  };

  return pv_staging_commit (staging, &metadata, error);
}

/**
 * pv_build:
 * @build: what to build
 * @ret_signal: (out): the signal that stopped it, or 0
 *
 * Builds a runtime into the store.  mmdebstrap is started before anything is locked: a child must
 * not inherit an exclusive lock.
 *
 * Returns: (transfer full) (type filename): the version's path, or %NULL with @error set; then
 *  nothing is left behind
 */
char *
pv_build (const PvBuild *build, int *ret_signal, GError **error)
{
  pv_autofd signal_fd = open_signal_fd (error);
  g_autoptr (PvProgress) progress = pv_progress_new (build->name, FALSE);
  g_autoptr (PvStaging) staging = NULL;
  g_autoptr (PvBootstrap) bootstrap = NULL;
  g_auto (GStrv) argv = NULL;
  g_autofree char *version = NULL;
  g_autofree char *summary = NULL;
  gboolean filled;

  *ret_signal = 0;
  if (signal_fd < 0)
    return NULL;
  staging = pv_staging_open (build->store, build->name, error);
  if (staging == NULL)
    return NULL;
  if (build->version != NULL && pv_staging_has_version (staging, build->version))
    {
      pv_error_set (error, PV_ERROR_FAILED, "Cannot build \"%s/%s/versions/%s\": it exists",
                    build->store, build->name, build->version);
      return NULL;
    }

  argv = pv_bootstrap_get_argv (build->recipe, build->layout, build->architecture, build->mirror,
                                geteuid () == 0);
  bootstrap = pv_bootstrap_start (argv, signal_fd, progress, error);
  if (bootstrap == NULL)
    return NULL;
  filled = fill (build, staging, bootstrap, progress, error);
  *ret_signal = pv_bootstrap_get_signal (bootstrap);
  if (!filled)
    return NULL;

  pv_progress_set_stage (progress, "writing to disk");
  version = commit (build, staging, error);
  if (version == NULL)
    return NULL;
  pv_progress_clear (progress);
  summary = pv_progress_summary (progress);
  fprintf (stderr, "%s: built version %s (%s)\n", build->name, version, summary);
  return g_build_filename (build->store, build->name, "versions", version, NULL);
}
