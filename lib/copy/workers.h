/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct PvWorkers PvWorkers;
typedef void (*PvWorkFunc) (gpointer job, gpointer data);

PvWorkers *pv_workers_new (guint n_threads, PvWorkFunc func, gpointer data);
void pv_workers_push (PvWorkers *workers, gpointer job);
void pv_workers_wait (PvWorkers *workers);
void pv_workers_free (PvWorkers *workers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvWorkers, pv_workers_free)
