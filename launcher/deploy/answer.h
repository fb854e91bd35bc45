/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvAnswer: what pv-deploy tells the launcher.
 * @needed: for a question: whether the runtime has to be deployed
 * @device, @inode: of the folder that is the runtime
 * @n_linked, @n_copied: files
 */
typedef struct
{
  gboolean needed;
  guint64 device;
  guint64 inode;
  guint n_linked;
  guint n_copied;
} PvAnswer;

char *pv_answer_write (const PvAnswer *answer, const GError *error, gsize *ret_length);
gboolean pv_answer_read (const char *text, gsize length, PvAnswer *ret_answer, GError **error);
