/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy/base.h"
#include "options.h"
#include "report.h"

/**
 * PvDeployment: what a runtime that is shipped as a manifest is deployed from, and how.  Borrows all.
 * @manifest: beside @runtime
 * @runtime: must be locked
 */
typedef struct
{
  const PvOptions *options;
  const PvReport *report;
  char **environment;
  const PvRuntime *runtime;
  const PvManifest *manifest;
} PvDeployment;

PvBase *pv_deployment_acquire (const PvDeployment *deployment, const char *registry,
                               PvCopyParent **ret_parent, GError **error);
gboolean pv_deployment_is_needed (const PvDeployment *deployment, gboolean *ret_needed,
                                  GError **error);
