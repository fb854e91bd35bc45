/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/metadata.h"
#include "runtime/recipe.h"

#include <glib.h>

/**
 * PvBuild: what to build, and where to.  Nothing in it is owned.
 * @recipe: how
 * @layout: what of it
 * @store: (type filename): where to
 * @name: of the runtime in the store
 * @version: (nullable): %NULL: the next one of the day
 * @architecture: as dpkg calls it
 * @mirror: (nullable): instead of the recipe's
 * @verbose: show the last lines of mmdebstrap's output if it fails
 */
typedef struct
{
  const PvRecipe *recipe;
  PvLayout layout;
  const char *store;
  const char *name;
  const char *version;
  const char *architecture;
  const char *mirror;
  gboolean verbose;
} PvBuild;

char *pv_build (const PvBuild *build, int *ret_signal, GError **error);
