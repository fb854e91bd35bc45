/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * PvOpenCopy: a copy into which a cleaner looks.
 * @fd: its folder, or -1
 * @was_closed: whether its usr/ permits more than it did, until this is closed
 * @usr_mode: what it permitted
 */
typedef struct
{
  int fd;
  gboolean was_closed;
  mode_t usr_mode;
} PvOpenCopy;

PvOpenCopy pv_open_copy (int parent_fd, const char *name, gboolean may_change);
void pv_open_copy_clear (PvOpenCopy *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PvOpenCopy, pv_open_copy_clear)
