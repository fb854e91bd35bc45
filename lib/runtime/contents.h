/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/runtime.h"

/**
 * PvRuntimeContents: what the plan needs to know of a runtime's files.  Immutable.
 * @top: (element-type PvEntry): what is in the folder itself
 * @etc: (element-type PvEntry): what is in its `etc`; empty if it has none
 * @var: (element-type utf8): what is in its `var/lib` and `var/cache`, as paths like `var/lib/NAME`
 * @has_zone: it has the time zone's file
 * @shell: the best shell it has, as a path inside
 */
typedef struct
{
  GPtrArray *top;
  GPtrArray *etc;
  GPtrArray *var;
  gboolean has_zone;
  const char *shell;
} PvRuntimeContents;

PvRuntimeContents *pv_runtime_contents_read (const PvRuntime *runtime, const char *zone,
                                             GError **error);
void pv_runtime_contents_free (PvRuntimeContents *contents);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvRuntimeContents, pv_runtime_contents_free)
