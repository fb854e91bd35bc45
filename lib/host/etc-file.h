/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"

GPtrArray *pv_host_files_read (int etc_fd);
char *pv_host_zone_read (int etc_fd);
