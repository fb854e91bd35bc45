/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "copy/manifest.h"
#include "deploy/answer.h"

/**
 * PvDeployRun: one run of pv-deploy.  Borrows all.
 * @files_fd: the folder beside @manifest
 * @option: (nullable): `parent`: deploy into @fd; `base`: verify @fd; %NULL: only ask
 * @verify: verify what is deployed
 */
typedef struct
{
  char **environment;
  const PvManifest *manifest;
  int files_fd;
  const char *option;
  int fd;
  gboolean verify;
} PvDeployRun;

gboolean pv_deploy_run (const PvDeployRun *task, PvAnswer *ret_answer, GError **error);
