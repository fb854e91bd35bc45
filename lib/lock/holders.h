/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * PvHolders: which processes hold locks, as far as the kernel says.
 */
typedef struct _PvHolders PvHolders;

PvHolders *pv_holders_new (void);
PvHolders *pv_holders_read (void);
void pv_holders_add (PvHolders *self, pid_t pid, const char *text);
const GArray *pv_holders_get (const PvHolders *self, dev_t device, ino_t inode);
void pv_holders_free (PvHolders *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvHolders, pv_holders_free)
