/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy/gc.h"

void pv_gc_entry_free (gpointer entry);
gboolean pv_gc_entry_leave (PvGcEntry *entry, PvGcOutcome outcome, const char *reason);
gboolean pv_gc_entry_leave_for_errno (PvGcEntry *entry, int saved_errno);
