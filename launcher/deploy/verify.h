/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "deploy/mtree.h"
#include "progress.h"

gboolean pv_verify (const PvMtree *mtree, int usr_fd, const char *path, PvProgress *progress,
                    const gint *stop, GError **error);
