/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy/copy.h"
#include "options.h"

/**
 * PvCopySearch: the search for a strategy of copying that works here.
 * @next: the one that is tried next, if it is allowed
 * @skipped: (element-type PvCopySkipped): those that do not work
 */
typedef struct
{
  PvCopyStrategy next;
  GPtrArray *skipped;
} PvCopySearch;

/**
 * PvCopySkipped: a strategy that does not work here.
 * @reason: why
 */
typedef struct
{
  PvCopyStrategy strategy;
  char *reason;
} PvCopySkipped;

PvCopySearch pv_copy_search_init (void);
void pv_copy_search_clear (PvCopySearch *search);
gboolean pv_copy_search_find (PvCopySearch *search, const PvOptions *options);
void pv_copy_search_skip (PvCopySearch *search, const GError *why);
gboolean pv_copy_search_set_error (const PvCopySearch *search, const PvOptions *options,
                                   GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PvCopySearch, pv_copy_search_clear)
