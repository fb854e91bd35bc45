/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvLayout: what lies in a runtime's folder.
 * @PV_LAYOUT_USR: a merged `/usr`: `bin`, `lib`, and what belongs into `/etc` as `etc`
 * @PV_LAYOUT_ROOT: a complete root filesystem, with `usr` in it
 * @PV_LAYOUT_HOST: the host's own root; never in a store
 */
typedef enum
{
  PV_LAYOUT_USR,
  PV_LAYOUT_ROOT,
  PV_LAYOUT_HOST,
} PvLayout;

const char *pv_layout_to_string (PvLayout layout);
gboolean pv_layout_from_string (const char *text, PvLayout *ret_layout);
