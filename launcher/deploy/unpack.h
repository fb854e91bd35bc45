/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "deploy/mtree.h"

PvMtree *pv_unpack_mtree (int fd, const char *path, GError **error);
