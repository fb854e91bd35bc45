/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy-options.h"

/**
 * pv_copy_options_parse:
 * @self: (inout): gets what is said of a mutable copy: in two ways, ours and pressure-vessel's
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_copy_options_parse (PvOptions *self, const PvOptionValue *values, GError **error)
{
  static const char *const strategies[] = {
    "auto", "overlay", "reflink", "hardlink", "copy", NULL
  };
  static const PvCopyStrategy kinds[] = {
    PV_COPY_AUTO, PV_COPY_OVERLAY, PV_COPY_REFLINK, PV_COPY_HARDLINK, PV_COPY_FULL,
  };
  static const PvOptionId of_copies[] = {
    PV_OPTION_COPY_STRATEGY, PV_OPTION_WRITABLE_COPY, PV_OPTION_KEEP_COPY, PV_OPTION_VERIFY,
  };
  const char *parent = pv_option_value_get (values, PV_OPTION_MUTABLE_PARENT);
  gboolean copy;
  guint strategy;

  if (!pv_option_get_boolean (values, PV_OPTION_COPY_RUNTIME, FALSE, &copy, error)
      || !pv_option_get_boolean (values, PV_OPTION_WRITABLE_COPY, FALSE, &self->writable_copy,
                                 error)
      || !pv_option_get_boolean (values, PV_OPTION_KEEP_COPY, FALSE, &self->keep_copy, error)
      || !pv_option_get_boolean (values, PV_OPTION_VERIFY, FALSE, &self->verify, error)
      || !pv_option_get_choice (values, PV_OPTION_COPY_STRATEGY, strategies, &strategy, error))
    return FALSE;
  if (parent == NULL && copy)
    {
      parent = pv_option_value_get (values, PV_OPTION_VARIABLE_DIR);
      if (parent == NULL)
        return pv_option_set_invalid (error, values, PV_OPTION_COPY_RUNTIME, "1",
                                      "there is no --variable-dir");
    }
  if (parent == NULL
      && !pv_option_refuse (values, of_copies, G_N_ELEMENTS (of_copies),
                            "there is no --runtime-mutable-parent", error))
    return FALSE;
  self->mutable_parent = g_strdup (parent);
  self->copy_strategy = kinds[strategy];
  if (self->writable_copy && self->copy_strategy == PV_COPY_HARDLINK)
    return pv_option_set_invalid (error, values, PV_OPTION_COPY_STRATEGY, "hardlink",
                                  "with --writable-copy the program would write into the runtime");
  return TRUE;
}
