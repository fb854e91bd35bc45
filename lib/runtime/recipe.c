/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A recipe is a key file NAME.conf:
 *
 *     [Runtime]
 *     display_name=Debian 12
 *     version_scheme=date           the only one: YYYYMMDD.N
 *
 *     [Bootstrap]
 *     suite=bookworm
 *     variant=essential
 *     mirror=, components=, merge_usr=suite|layout|always, options=     optional
 *
 *     [Packages]
 *     TOPIC=package;package         as many topics as wanted
 *
 * Lists are separated by `;`.  What is not known is an error, so that a misspelt key is found.
 */
#include "runtime/recipe.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define RECIPE_LIMIT (1024 * 1024) /* bytes */
#define SUFFIX ".conf"

static const char *const merge_usr_names[] = { "suite", "layout", "always", NULL };

static const char *const variants[] = { "extract", "custom", "essential", "apt", "required",
                                        "minbase", "buildd", "important", "debootstrap",
                                        "standard", NULL };

static const char *const version_schemes[] = { "date", NULL };

typedef enum
{
  VALUE_TEXT,
  VALUE_LIST,
} ValueType;

/* One row per key: where it goes, and what it may be. */
typedef struct
{
  const char *group;
  const char *key;
  ValueType type;
  gboolean required;
  const char *const *choices; /* nullable */
  gssize offset;              /* in PvRecipe; negative: only checked here */
} RecipeKey;

static const RecipeKey keys[] = {
  { "Runtime", "display_name", VALUE_TEXT, TRUE, NULL, G_STRUCT_OFFSET (PvRecipe, display_name) },
  { "Runtime", "version_scheme", VALUE_TEXT, FALSE, version_schemes, -1 },
  { "Bootstrap", "suite", VALUE_TEXT, TRUE, NULL, G_STRUCT_OFFSET (PvRecipe, suite) },
  { "Bootstrap", "mirror", VALUE_TEXT, FALSE, NULL, G_STRUCT_OFFSET (PvRecipe, mirror) },
  { "Bootstrap", "components", VALUE_LIST, FALSE, NULL, G_STRUCT_OFFSET (PvRecipe, components) },
  { "Bootstrap", "variant", VALUE_TEXT, TRUE, variants, G_STRUCT_OFFSET (PvRecipe, variant) },
  { "Bootstrap", "merge_usr", VALUE_TEXT, FALSE, merge_usr_names, -1 },
  { "Bootstrap", "options", VALUE_LIST, FALSE, NULL, G_STRUCT_OFFSET (PvRecipe, options) },
};

#define PACKAGES "Packages"

void
pv_recipe_free (PvRecipe *recipe)
{
  if (recipe == NULL)
    return;
  g_free (recipe->name);
  g_free (recipe->path);
  g_free (recipe->display_name);
  g_free (recipe->suite);
  g_free (recipe->mirror);
  g_strfreev (recipe->components);
  g_free (recipe->variant);
  g_strfreev (recipe->packages);
  g_strfreev (recipe->options);
  g_free (recipe);
}

static gboolean
set_key_error (GError **error, const PvRecipe *recipe, const char *group, const char *key,
               const char *reason)
{
  return pv_error_set (error, PV_ERROR_INVALID,
                       "Cannot use recipe \"%s\": key \"%s\" in [%s] %s", recipe->path, key, group,
                       reason);
}

static const RecipeKey *
find_key (const char *group, const char *key)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      if (strcmp (keys[i].group, group) == 0 && (key == NULL || strcmp (keys[i].key, key) == 0))
        return &keys[i];
    }
  return NULL;
}

static gboolean
check_names (const PvRecipe *recipe, GKeyFile *file, GError **error)
{
  g_auto (GStrv) groups = g_key_file_get_groups (file, NULL);

  for (gsize i = 0; groups[i] != NULL; i++)
    {
      g_auto (GStrv) names = NULL;

      if (strcmp (groups[i], PACKAGES) == 0)
        continue;
      if (find_key (groups[i], NULL) == NULL)
        return pv_error_set (error, PV_ERROR_INVALID,
                             "Cannot use recipe \"%s\": there is no group [%s]", recipe->path,
                             groups[i]);
      names = g_key_file_get_keys (file, groups[i], NULL, NULL);
      for (gsize k = 0; names[k] != NULL; k++)
        {
          if (find_key (groups[i], names[k]) == NULL)
            return set_key_error (error, recipe, groups[i], names[k], "is not known");
        }
    }
  return TRUE;
}

/* Without the words around them, and without the empty ones that two separators leave. */
static char **
get_list (const PvRecipe *recipe, GKeyFile *file, const char *group, const char *key,
          GError **error)
{
  g_auto (GStrv) list = g_key_file_get_string_list (file, group, key, NULL, NULL);
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);

  if (list == NULL)
    {
      set_key_error (error, recipe, group, key, "is no list in UTF-8");
      return NULL;
    }
  for (gsize i = 0; list[i] != NULL; i++)
    {
      if (g_strstrip (list[i])[0] != '\0')
        g_ptr_array_add (words, g_strdup (list[i]));
    }
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

/* What begins with a dash would be taken as an option. */
static gboolean
check_text (const PvRecipe *recipe, const RecipeKey *key, const char *text, GError **error)
{
  g_autofree char *choices = NULL;
  g_autofree char *reason = NULL;

  if (text[0] == '\0')
    return set_key_error (error, recipe, key->group, key->key, "is empty");
  if (text[0] == '-')
    return set_key_error (error, recipe, key->group, key->key, "begins with a dash");
  if (key->choices == NULL || g_strv_contains (key->choices, text))
    return TRUE;

  choices = g_strjoinv (", ", (char **) key->choices);
  reason = g_strdup_printf ("must be one of %s, not \"%s\"", choices, text);
  return set_key_error (error, recipe, key->group, key->key, reason);
}

static gboolean
read_text (PvRecipe *recipe, GKeyFile *file, const RecipeKey *key, GError **error)
{
  g_autofree char *text = g_key_file_get_string (file, key->group, key->key, NULL);

  if (text == NULL)
    return set_key_error (error, recipe, key->group, key->key, "is no text in UTF-8");
  if (!check_text (recipe, key, text, error))
    return FALSE;

  if (key->choices == merge_usr_names)
    while (strcmp (merge_usr_names[recipe->merge_usr], text) != 0)
      recipe->merge_usr++;
  if (key->offset >= 0)
    *(char **) G_STRUCT_MEMBER_P (recipe, key->offset) = g_steal_pointer (&text);
  return TRUE;
}

static gboolean
read_key (PvRecipe *recipe, GKeyFile *file, const RecipeKey *key, GError **error)
{
  if (!g_key_file_has_key (file, key->group, key->key, NULL))
    {
      if (key->required)
        return set_key_error (error, recipe, key->group, key->key, "is missing");
      if (key->type == VALUE_LIST)
        *(char ***) G_STRUCT_MEMBER_P (recipe, key->offset) = g_new0 (char *, 1);
      return TRUE;
    }
  if (key->type == VALUE_LIST)
    {
      char **list = get_list (recipe, file, key->group, key->key, error);

      *(char ***) G_STRUCT_MEMBER_P (recipe, key->offset) = list;
      return list != NULL;
    }
  return read_text (recipe, file, key, error);
}

static gboolean
is_package_name (const char *name)
{
  return g_ascii_isalnum (name[0])
         && name[strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789+-.:")] == '\0';
}

static gboolean
read_packages (PvRecipe *recipe, GKeyFile *file, GError **error)
{
  g_auto (GStrv) topics = g_key_file_get_keys (file, PACKAGES, NULL, NULL);
  g_autoptr (GPtrArray) packages = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; topics != NULL && topics[i] != NULL; i++)
    {
      g_auto (GStrv) list = get_list (recipe, file, PACKAGES, topics[i], error);

      if (list == NULL)
        return FALSE;
      for (gsize k = 0; list[k] != NULL; k++)
        {
          if (!is_package_name (list[k]))
            {
              g_autofree char *reason = g_strdup_printf ("names no package: \"%s\"", list[k]);

              return set_key_error (error, recipe, PACKAGES, topics[i], reason);
            }
          g_ptr_array_add (packages, g_strdup (list[k]));
        }
    }
  g_ptr_array_add (packages, NULL);
  recipe->packages = (char **) g_ptr_array_free (g_steal_pointer (&packages), FALSE);
  return TRUE;
}

/**
 * pv_recipe_parse:
 * @text: a key file
 * @length: in bytes
 * @name: of the recipe
 * @path: (type filename): of the file, for messages
 *
 * Returns: (transfer full): the recipe, or %NULL with @error of %PV_ERROR_INVALID, which names the
 *  file and the key
 */
PvRecipe *
pv_recipe_parse (const char *text, gsize length, const char *name, const char *path,
                 GError **error)
{
  g_autoptr (PvRecipe) recipe = g_new0 (PvRecipe, 1);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) local_error = NULL;

  recipe->name = g_strdup (name);
  recipe->path = g_strdup (path);

  if (memchr (text, '\0', length) != NULL)
    {
      pv_error_set (error, PV_ERROR_INVALID, "Cannot read recipe \"%s\": it is no text", path);
      return NULL;
    }
  if (!g_key_file_load_from_data (file, text, length, G_KEY_FILE_NONE, &local_error))
    {
      pv_error_set (error, PV_ERROR_INVALID, "Cannot read recipe \"%s\": %s", path,
                    local_error->message);
      return NULL;
    }
  if (!check_names (recipe, file, error))
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      if (!read_key (recipe, file, &keys[i], error))
        return NULL;
    }
  return read_packages (recipe, file, error) ? g_steal_pointer (&recipe) : NULL;
}

/**
 * pv_recipe_get_dirs:
 * @environment: (array zero-terminated=1): of the caller
 * @default_dir: (type filename): where the installed recipes are
 *
 * Returns: (transfer full): the folders in which recipes are looked for: the user's own, then the
 *  installed ones; they need not exist
 */
char **
pv_recipe_get_dirs (char **environment, const char *default_dir)
{
  g_autoptr (GPtrArray) dirs = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *data_home = pv_store_get_data_home (environment);
  const char *installed = g_environ_getenv (environment, "PV_LAUNCH_RECIPEDIR");

  if (data_home != NULL)
    g_ptr_array_add (dirs, g_build_filename (data_home, "pv-launch", "recipes", NULL));
  if (installed == NULL || installed[0] == '\0')
    installed = default_dir;
  g_ptr_array_add (dirs, g_strdup (installed));
  g_ptr_array_add (dirs, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&dirs), FALSE);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/**
 * pv_recipe_list:
 * @dirs: (array zero-terminated=1): where to look
 *
 * Returns: (transfer full): the names of all recipes, sorted, each once
 */
char **
pv_recipe_list (const char *const *dirs)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; dirs[i] != NULL; i++)
    {
      g_autoptr (GDir) dir = g_dir_open (dirs[i], 0, NULL);
      const char *item;

      while (dir != NULL && (item = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *name = NULL;

          if (!g_str_has_suffix (item, SUFFIX))
            continue;
          name = g_strndup (item, strlen (item) - strlen (SUFFIX));
          if (pv_store_is_name (name)
              && !g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
            g_ptr_array_add (names, g_steal_pointer (&name));
        }
    }
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}

static gboolean
set_unknown (const char *const *dirs, const char *name, GError **error)
{
  g_auto (GStrv) names = pv_recipe_list (dirs);
  g_autofree char *known = g_strjoinv (", ", names);
  g_autofree char *looked = g_strjoinv ("\", \"", (char **) dirs);

  pv_error_set (error, PV_ERROR_NOT_FOUND, "Cannot find recipe \"%s\" in \"%s\"", name, looked);
  if (names[0] != NULL)
    pv_error_hint (error, "there are %s", known);
  return FALSE;
}

/**
 * pv_recipe_load:
 * @dirs: (array zero-terminated=1): where to look; the first that has it counts
 * @name: of the recipe
 *
 * Returns: (transfer full): the recipe, or %NULL with @error set: %PV_ERROR_NOT_FOUND, with a hint
 *  which recipes there are, or %PV_ERROR_INVALID
 */
PvRecipe *
pv_recipe_load (const char *const *dirs, const char *name, GError **error)
{
  for (gsize i = 0; pv_store_is_name (name) && dirs[i] != NULL; i++)
    {
      g_autofree char *base = g_strconcat (name, SUFFIX, NULL);
      g_autofree char *path = g_build_filename (dirs[i], base, NULL);
      pv_autofd fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      g_autofree char *text = NULL;
      gsize length = 0;

      if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        continue;
      if (fd < 0)
        {
          pv_error_set_errno (error, errno, "Cannot open recipe \"%s\"", path);
          return NULL;
        }
      text = pv_fd_read_all (fd, RECIPE_LIMIT, &length, error);
      return text != NULL ? pv_recipe_parse (text, length, name, path, error) : NULL;
    }
  set_unknown (dirs, name, error);
  return NULL;
}
