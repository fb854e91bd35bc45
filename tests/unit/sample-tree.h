/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fixture.h"

/* The sparse file of a sample: how long it is, and what it may take on the disk. */
#define PV_SAMPLE_SPARSE "sparse"
#define PV_SAMPLE_SPARSE_SIZE (32 << 20)
#define PV_SAMPLE_SPARSE_MAX (1 << 20)

void pv_sample_tree_make (const PvFixture *fixture, const char *name);
void pv_sample_tree_make_deep (int dir_fd, const char *name, guint depth);
