/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvEnvironmentEdit: one variable that differs from the caller's environment.  Immutable.
 * @name: the variable
 * @value: (nullable): %NULL: not set
 * @reason: (transfer none): why
 */
typedef struct
{
  char *name;
  char *value;
  const char *reason;
} PvEnvironmentEdit;

GPtrArray *pv_environment_edits_new (void);
void pv_environment_edit (GPtrArray *edits, const char *name, const char *value,
                          const char *reason);
GPtrArray *pv_environment_plan (char **environment, gboolean is_host, const char *runtime_dir,
                                const GPtrArray *user_edits);
gboolean pv_environment_is_for_loader (const char *variable);
