/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "progress.h"
#include "runtime/metadata.h"
#include "runtime/recipe.h"

#include <glib.h>

/**
 * PvBootstrap: a running mmdebstrap, which writes a root file system as a tar archive into a pipe
 * and tells on another one how far it is.
 */
typedef struct _PvBootstrap PvBootstrap;

char **pv_bootstrap_get_argv (const PvRecipe *recipe, PvLayout layout, const char *architecture,
                              const char *mirror, gboolean privileged);
PvBootstrap *pv_bootstrap_start (char **argv, int signal_fd, PvProgress *progress, GError **error);
gssize pv_bootstrap_read (PvBootstrap *bootstrap, gpointer buffer, gsize size, GError **error);
gboolean pv_bootstrap_finish (PvBootstrap *bootstrap, GError **error);
int pv_bootstrap_get_signal (const PvBootstrap *bootstrap);
const char *pv_bootstrap_get_log (PvBootstrap *bootstrap);
void pv_bootstrap_free (PvBootstrap *bootstrap);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvBootstrap, pv_bootstrap_free)
