/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/layout.h"

#include <string.h>

static const char *const names[] = {
  [PV_LAYOUT_USR] = "usr",
  [PV_LAYOUT_ROOT] = "root",
  [PV_LAYOUT_HOST] = "host",
};

/**
 * pv_layout_to_string:
 *
 * Returns: (transfer none): what options, metadata and listings call it
 */
const char *
pv_layout_to_string (PvLayout layout)
{
  return names[layout];
}

/**
 * pv_layout_from_string:
 * @text: `usr` or `root`: the layouts that something can be built in
 * @ret_layout: (out): the layout
 *
 * Returns: %FALSE if @text is neither
 */
gboolean
pv_layout_from_string (const char *text, PvLayout *ret_layout)
{
  for (PvLayout layout = PV_LAYOUT_USR; layout <= PV_LAYOUT_ROOT; layout++)
    {
      if (strcmp (text, names[layout]) == 0)
        {
          *ret_layout = layout;
          return TRUE;
        }
    }
  return FALSE;
}
