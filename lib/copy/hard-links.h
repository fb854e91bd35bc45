/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

typedef struct PvHardLinks PvHardLinks;

PvHardLinks *pv_hard_links_new (int top_fd);
gboolean pv_hard_links_link (PvHardLinks *links, const struct stat *st, int dir_fd,
                             const char *name);
void pv_hard_links_set (PvHardLinks *links, const struct stat *st, const char *path);
void pv_hard_links_free (PvHardLinks *links);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvHardLinks, pv_hard_links_free)
