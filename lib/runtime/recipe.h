/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvMergeUsr: who sees to it that `/bin`, `/lib`, … are links into `/usr`.
 * @PV_MERGE_USR_SUITE: the suite's own packages, or nobody
 * @PV_MERGE_USR_LAYOUT: the builder, where a merged `/usr` is wanted; a complete root stays as the
 *  suite has it
 * @PV_MERGE_USR_ALWAYS: the builder
 */
typedef enum
{
  PV_MERGE_USR_SUITE,
  PV_MERGE_USR_LAYOUT,
  PV_MERGE_USR_ALWAYS,
} PvMergeUsr;

/**
 * PvRecipe: how a runtime is built.  Immutable.
 * @name: the recipe's file name without `.conf`, and the runtime's name in the store
 * @path: (type filename): of the file
 * @display_name: for people
 * @suite: of the distribution
 * @mirror: (nullable): from where; %NULL: the builder's choice for the suite
 * @components: (array zero-terminated=1): may be empty: the builder's choice
 * @variant: of mmdebstrap
 * @packages: (array zero-terminated=1): of all topics
 * @options: (array zero-terminated=1): further ones of mmdebstrap
 */
typedef struct
{
  char *name;
  char *path;
  char *display_name;
  char *suite;
  char *mirror;
  char **components;
  char *variant;
  PvMergeUsr merge_usr;
  char **packages;
  char **options;
} PvRecipe;

char **pv_recipe_get_dirs (char **environment, const char *default_dir);
char **pv_recipe_list (const char *const *dirs);
PvRecipe *pv_recipe_parse (const char *text, gsize length, const char *name, const char *path,
                           GError **error);
PvRecipe *pv_recipe_load (const char *const *dirs, const char *name, GError **error);
void pv_recipe_free (PvRecipe *recipe);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvRecipe, pv_recipe_free)
