/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/**
 * PvDataMethod: how bytes are copied; each can be the fallback of the one before.
 */
typedef enum
{
  PV_DATA_COPY_FILE_RANGE,
  PV_DATA_SENDFILE,
  PV_DATA_READ_WRITE,
} PvDataMethod;

gboolean pv_file_data_clone (int source_fd, int dest_fd);
gboolean pv_file_data_copy (int source_fd, const struct stat *st, int dest_fd, gint *method);
