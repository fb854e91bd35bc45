/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "deploy/tally.h"

#include "base/error.h"

#include <string.h>

/**
 * pv_tally_init:
 * @stop: used atomically: the number of a signal, or 0
 */
void
pv_tally_init (PvTally *tally, PvProgress *progress, const gint *stop)
{
  memset (tally, 0, sizeof *tally);
  tally->progress = progress;
  tally->stop = stop;
  g_mutex_init (&tally->mutex);
}

/**
 * pv_tally_add:
 *
 * So much has been done since the last time.
 */
void
pv_tally_add (PvTally *tally, guint64 files, guint64 bytes)
{
  if (tally->progress == NULL)
    return;
  g_mutex_lock (&tally->mutex);
  pv_progress_add (tally->progress, files, bytes);
  g_mutex_unlock (&tally->mutex);
}

/**
 * pv_tally_fail:
 * @error: (transfer full): the first one counts
 */
void
pv_tally_fail (PvTally *tally, GError *error)
{
  g_mutex_lock (&tally->mutex);
  if (tally->error == NULL)
    tally->error = error;
  else
    g_error_free (error);
  g_mutex_unlock (&tally->mutex);
  g_atomic_int_set (&tally->failed, 1);
}

/**
 * pv_tally_goes_on:
 *
 * Returns: %FALSE if nothing more needs to be done
 */
gboolean
pv_tally_goes_on (PvTally *tally)
{
  return !g_atomic_int_get (&tally->failed)
         && (tally->stop == NULL || g_atomic_int_get (tally->stop) == 0);
}

/**
 * pv_tally_finish:
 *
 * Returns: whether all has been done; no thread uses @tally any more
 */
gboolean
pv_tally_finish (PvTally *tally, GError **error)
{
  int signal = tally->stop != NULL ? g_atomic_int_get (tally->stop) : 0;

  g_mutex_clear (&tally->mutex);
  if (tally->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&tally->error));
      return FALSE;
    }
  return signal == 0 || pv_error_set (error, PV_ERROR_FAILED, "Stopped by %s", strsignal (signal));
}
