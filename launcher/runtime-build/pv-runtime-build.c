/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `pvctl runtime build`; a program of its own, since it needs libarchive. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "build.h"
#include "runtime/recipe.h"
#include "runtime/store.h"
#include "usage.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NAME "pvctl runtime build"

#if defined __x86_64__ && defined __ILP32__
#define ARCHITECTURE "x32"
#elif defined __x86_64__
#define ARCHITECTURE "amd64"
#elif defined __i386__
#define ARCHITECTURE "i386"
#elif defined __aarch64__
#define ARCHITECTURE "arm64"
#elif defined __arm__
#define ARCHITECTURE "armhf"
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
#define ARCHITECTURE "ppc64el"
#elif defined __riscv
#define ARCHITECTURE "riscv64"
#elif defined __s390x__
#define ARCHITECTURE "s390x"
#else
#error "What does dpkg call this architecture?"
#endif

static char *opt_architecture;
static char *opt_layout;
static char *opt_mirror;
static char *opt_name;
static char *opt_recipe_dir;
static char *opt_store;
static gboolean opt_verbose;
static char *opt_version;

static const GOptionEntry options[] = {
  { "architecture", 0, 0, G_OPTION_ARG_STRING, &opt_architecture,
    "Build for ARCH [default: " ARCHITECTURE "]", "ARCH" },
  { "layout", 0, 0, G_OPTION_ARG_STRING, &opt_layout,
    "A merged /usr, or a complete root [default: usr]", "usr|root" },
  { "mirror", 0, 0, G_OPTION_ARG_STRING, &opt_mirror,
    "Take packages from URL [default: the recipe's]", "URL" },
  { "name", 0, 0, G_OPTION_ARG_STRING, &opt_name,
    "Name in the store [default: the recipe's]", "NAME" },
  { "recipe-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_recipe_dir,
    "Look for the recipe only in DIR", "DIR" },
  { "store", 0, 0, G_OPTION_ARG_FILENAME, &opt_store,
    "Build into the store DIR [default: the user's]", "DIR" },
  { "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose,
    "Show what mmdebstrap said last, if it fails", NULL },
  { "version", 0, 0, G_OPTION_ARG_STRING, &opt_version,
    "Name of the new version [default: YYYYMMDD.N]", "VERSION" },
  { NULL },
};

static const PvctlUsage usage = {
  .name = NAME,
  .arguments = "RECIPE",
  .summary = "Builds a runtime from a recipe, and makes it the current version in the store.",
  .options = options,
  .min_args = 1,
  .max_args = 1,
};

static PvRecipe *
load_recipe (const char *name, char **environment, GError **error)
{
  const char *const only[] = { opt_recipe_dir, NULL };
  g_auto (GStrv) dirs = pv_recipe_get_dirs (environment, PV_RECIPEDIR);

  return pv_recipe_load (opt_recipe_dir != NULL ? only : (const char *const *) dirs, name, error);
}

/* Without a home, the first store would be the system's, which nobody asked for. */
static char *
choose_store (char **environment, GError **error)
{
  g_autofree char *data_home = pv_store_get_data_home (environment);

  if (opt_store != NULL)
    return g_canonicalize_filename (opt_store, NULL);
  if (data_home != NULL)
    return g_build_filename (data_home, "pv-launch", "runtimes", NULL);
  pv_error_set (error, PV_ERROR_USAGE, "Cannot choose a store: HOME is not set");
  pv_error_hint (error, "--store=DIR names one");
  return NULL;
}

static int
build_and_print (const PvBuild *build)
{
  int stopped_by = 0;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = pv_build (build, &stopped_by, &error);

  if (path == NULL)
    {
      int status = pvctl_usage_report (error);

      return stopped_by != 0 ? 128 + stopped_by : status;
    }
  if (puts (path) < 0 || fflush (stdout) != 0)
    {
      pv_error_set (&error, PV_ERROR_FAILED, "Cannot write to standard output");
      return pvctl_usage_report (error);
    }
  return EXIT_SUCCESS;
}

static int
run (int argc, char **argv)
{
  g_auto (GStrv) environment = g_get_environ ();
  g_autoptr (GError) error = NULL;
  g_autoptr (PvRecipe) recipe = NULL;
  g_autofree char *store = NULL;
  PvBuild build = { .layout = PV_LAYOUT_USR };
  int status = pvctl_usage_parse (&usage, &argc, &argv);

  if (status != PVCTL_GO_ON)
    return status;
  if (opt_layout != NULL && !pv_layout_from_string (opt_layout, &build.layout))
    return pvctl_usage_fail (NAME, "Unknown layout \"%s\"", opt_layout);
  if (opt_version != NULL && !pv_store_is_name (opt_version))
    return pvctl_usage_fail (NAME, "Cannot name a version \"%s\"", opt_version);

  recipe = load_recipe (argv[1], environment, &error);
  if (recipe == NULL)
    return pvctl_usage_report (error);
  store = choose_store (environment, &error);
  if (store == NULL)
    return pvctl_usage_report (error);

  build.recipe = recipe;
  build.store = store;
  build.name = opt_name != NULL ? opt_name : recipe->name;
  build.version = opt_version;
  build.architecture = opt_architecture != NULL ? opt_architecture : ARCHITECTURE;
  build.mirror = opt_mirror;
  build.verbose = opt_verbose;
  return build_and_print (&build);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  /* File names in an archive are UTF-8, and libarchive converts them. */
  setlocale (LC_CTYPE, "C.UTF-8");
  pv_log_init ("pvctl");
  umask (022);
  if (!pv_fd_protect_stdio (&error))
    return pvctl_usage_report (error);
  return run (argc, argv);
}
