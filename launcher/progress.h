/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvProgress: what is said on standard error meanwhile: one line that is drawn again and again on a
 * terminal, otherwise a line per stage, or nothing.
 */
typedef struct _PvProgress PvProgress;

PvProgress *pv_progress_new (const char *label, gboolean quiet);
void pv_progress_set_stage (PvProgress *progress, const char *stage);
void pv_progress_set_total (PvProgress *progress, guint64 files, guint64 bytes);
void pv_progress_add (PvProgress *progress, guint64 files, guint64 bytes);
void pv_progress_tick (PvProgress *progress);
void pv_progress_clear (PvProgress *progress);
char *pv_progress_summary (const PvProgress *progress);
void pv_progress_free (PvProgress *progress);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvProgress, pv_progress_free)
