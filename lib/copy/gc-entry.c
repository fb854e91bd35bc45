/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of one thing in a folder of copies. */
#include "copy/gc-entry.h"

#include <errno.h>

void
pv_gc_entry_free (gpointer data)
{
  PvGcEntry *entry = data;

  g_free (entry->path);
  g_free (entry->reason);
  g_free (entry->trash);
  if (entry->pids != NULL)
    g_array_unref (entry->pids);
  g_free (entry);
}

/**
 * pv_gc_entry_leave:
 * @reason: (nullable): one line
 *
 * It stays.
 *
 * Returns: always %FALSE
 */
gboolean
pv_gc_entry_leave (PvGcEntry *entry, PvGcOutcome outcome, const char *reason)
{
  entry->outcome = outcome;
  g_free (entry->reason);
  entry->reason = g_strdup (reason);
  return FALSE;
}

/**
 * pv_gc_entry_leave_for_errno:
 * @saved_errno: what a system call has failed with
 *
 * Returns: always %FALSE
 */
gboolean
pv_gc_entry_leave_for_errno (PvGcEntry *entry, int saved_errno)
{
  gboolean closed = saved_errno == EACCES || saved_errno == EPERM;

  return pv_gc_entry_leave (entry, closed ? PV_GC_CLOSED : PV_GC_FAILED, g_strerror (saved_errno));
}

const char *
pv_gc_outcome_to_string (PvGcOutcome outcome)
{
  static const char *const names[] = { "removed", "in-use",   "mounted", "keep",
                                       "current", "not-ours", "closed",  "failed" };

  return names[outcome];
}
