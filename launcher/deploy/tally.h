/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "progress.h"

/**
 * PvTally: how far the threads of one piece of work are, and whether it is still worth going on.
 * @progress: (nullable): whom to tell; borrowed
 * @stop: (nullable): set when somebody wants the work to end; borrowed
 */
typedef struct
{
  PvProgress *progress;
  const gint *stop;
  GMutex mutex;
  GError *error;
  gint failed;
} PvTally;

void pv_tally_init (PvTally *tally, PvProgress *progress, const gint *stop);
void pv_tally_add (PvTally *tally, guint64 files, guint64 bytes);
void pv_tally_fail (PvTally *tally, GError *error);
gboolean pv_tally_goes_on (PvTally *tally);
gboolean pv_tally_finish (PvTally *tally, GError **error);
