/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "deploy/mtree.h"
#include "progress.h"

/**
 * PvApplied: what was made.
 * @n_linked, @n_copied: files that are the source's, and files that are not
 * @link_errno: why files that could have been linked were copied, or 0
 */
typedef struct
{
  guint n_linked;
  guint n_copied;
  int link_errno;
} PvApplied;

gboolean pv_apply (const PvMtree *mtree, int files_fd, int usr_fd, PvProgress *progress,
                   const gint *stop, PvApplied *ret_applied, GError **error);
gboolean pv_apply_is_needed (const PvMtree *mtree, int files_fd);
