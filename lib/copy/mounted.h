/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

#include "copy/place.h"

/**
 * PvMounted: which copies any process has mounted, or a part of them.
 */
typedef struct _PvMounted PvMounted;

PvMounted *pv_mounted_new (void);
PvMounted *pv_mounted_read (void);
void pv_mounted_add (PvMounted *self, pid_t pid, gboolean own, const char *mountinfo);
const GArray *pv_mounted_get (const PvMounted *self, const PvPlace *place);
guint pv_mounted_count_unreadable (const PvMounted *self);
void pv_mounted_free (PvMounted *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvMounted, pv_mounted_free)
