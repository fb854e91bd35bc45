/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/host.h"
#include "options.h"
#include "copy/copy.h"
#include "report.h"
#include "runtime/contents.h"
#include "runtime/runtime.h"

/**
 * PvOpened: what is found and opened before anything is locked or written.
 * @home: (nullable): the private home
 * @bwrap: (type filename) (nullable): bubblewrap; not looked for if the plan is only printed
 * @terminal: what the program gets as its standard input, output and error, or -1
 */
typedef struct
{
  PvHostPath *home;
  char *bwrap;
  int terminal;
} PvOpened;

#define PV_OPENED_INIT { .terminal = -1 }

void pv_opened_clear (PvOpened *opened);
gboolean pv_step_open (const PvOptions *options, const PvHost *host, PvOpened *opened,
                       GError **error);
PvPlan *pv_step_plan (const PvOptions *options, const PvHost *host, const PvRuntime *runtime,
                      const PvRuntimeContents *contents, const PvCopy *copy,
                      const PvOpened *opened, GError **error);
gboolean pv_step_start (const PvOptions *options, const PvReport *report, const PvHost *host,
                        const PvOpened *opened, const PvPlan *plan, const PvRuntime *runtime,
                        const PvCopy *copy, GPtrArray *leases, int *ret_status, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PvOpened, pv_opened_clear)
