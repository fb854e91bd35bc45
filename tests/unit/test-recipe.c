/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fixture.h"
#include "runtime/recipe.h"

#include <string.h>

#define HEAD "[Runtime]\ndisplay_name=Debian\n[Bootstrap]\nsuite=bookworm\nvariant=extract\n"

static PvRecipe *
parse (const char *text, GError **error)
{
  return pv_recipe_parse (text, strlen (text), "debian", "/r/debian.conf", error);
}

static void
test_defaults (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PvRecipe) recipe = parse (HEAD, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (recipe->name, ==, "debian");
  g_assert_cmpstr (recipe->display_name, ==, "Debian");
  g_assert_cmpstr (recipe->suite, ==, "bookworm");
  g_assert_cmpstr (recipe->variant, ==, "extract");
  g_assert_null (recipe->mirror);
  g_assert_cmpint (recipe->merge_usr, ==, PV_MERGE_USR_SUITE);
  g_assert_cmpuint (g_strv_length (recipe->components), ==, 0);
  g_assert_cmpuint (g_strv_length (recipe->packages), ==, 0);
  g_assert_cmpuint (g_strv_length (recipe->options), ==, 0);
}

static void
test_all_keys (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const packages[] = { "dash", "libc6:i386", "libstdc++6", NULL };
  static const char *const extra[] = { "--a=b c", "--d", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvRecipe) recipe = parse (HEAD "merge_usr=always\nmirror=file:/srv\n"
                                            "components=main; contrib;\noptions=--a=b c;--d\n"
                                            "[Packages]\nbase=dash;libc6:i386\n"
                                            "more= libstdc++6 ;\n",
                                       &error);

  g_assert_no_error (error);
  g_assert_cmpint (recipe->merge_usr, ==, PV_MERGE_USR_ALWAYS);
  g_assert_cmpstr (recipe->mirror, ==, "file:/srv");
  g_assert_cmpstr (recipe->components[1], ==, "contrib");
  g_assert_cmpuint (g_strv_length (recipe->components), ==, 2);
  g_assert_cmpstrv (recipe->packages, packages);
  g_assert_cmpstrv (recipe->options, extra);
}

static void
test_invalid (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *text;
    const char *names;
  } rows[] = {
    { "", "display_name" },
    { "nonsense", "" },
    { "[Runtime]\ndisplay_name=x\n", "\"suite\"" },
    { HEAD "sweet=1\n", "\"sweet\"" },
    { HEAD "[Extra]\na=b\n", "[Extra]" },
    { HEAD "merge_usr=perhaps\n", "\"merge_usr\"" },
    { HEAD "mirror=\n", "\"mirror\"" },
    { HEAD "mirror=--setup-hook=x\n", "\"mirror\"" },
    { HEAD "[Packages]\nbase=dash;-x\n", "\"-x\"" },
    { HEAD "[Packages]\nbase=a b\n", "\"base\"" },
    { HEAD "[Packages]\nbase=\xff\n", "\"base\"" },
    { "[Runtime]\ndisplay_name=x\nversion_scheme=moon\n[Bootstrap]\nsuite=a\nvariant=apt\n",
      "\"version_scheme\"" },
    { "[Runtime]\ndisplay_name=x\n[Bootstrap]\nsuite=a\nvariant=tiny\n", "\"variant\"" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", rows[i].names);
      g_assert_null (parse (rows[i].text, &error));
      g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "\"/r/debian.conf\""));
      g_assert_nonnull (strstr (error->message, rows[i].names));
      g_assert_null (strchr (error->message, '\n'));
    }
}

static void
test_no_text (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (pv_recipe_parse (HEAD "\0", sizeof HEAD, "a", "/a.conf", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
}

static void
test_dirs (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  const char *const home[] = { "HOME=/home/u", NULL };
  const char *const both[] = { "XDG_DATA_HOME=/data", "PV_LAUNCH_RECIPEDIR=/r", NULL };
  const char *const home_dirs[] = { "/home/u/.local/share/pv-launch/recipes", "/inst", NULL };
  const char *const both_dirs[] = { "/data/pv-launch/recipes", "/r", NULL };
  g_auto (GStrv) first = pv_recipe_get_dirs ((char **) home, "/inst");
  g_auto (GStrv) second = pv_recipe_get_dirs ((char **) both, "/inst");

  g_assert_cmpstrv (first, home_dirs);
  g_assert_cmpstrv (second, both_dirs);
}

static void
test_load (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const names[] = { "a", "b", NULL };
  g_autofree char *first = pv_fixture_path (fixture, "1");
  g_autofree char *second = pv_fixture_path (fixture, "2");
  g_autofree char *third = pv_fixture_path (fixture, "3");
  const char *const dirs[] = { third, first, second, NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvRecipe) recipe = NULL;
  g_auto (GStrv) list = NULL;

  pv_fixture_write (fixture, "1/b.conf", HEAD "mirror=one\n");
  pv_fixture_write (fixture, "2/b.conf", HEAD "mirror=two\n");
  pv_fixture_write (fixture, "2/a.conf", HEAD);
  pv_fixture_write (fixture, "2/.c.conf", HEAD);
  pv_fixture_write (fixture, "2/d.txt", HEAD);

  list = pv_recipe_list (dirs);
  g_assert_cmpstrv (list, names);

  recipe = pv_recipe_load (dirs, "b", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (recipe->mirror, ==, "one");

  g_assert_null (pv_recipe_load (dirs, "../2/a", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_assert_cmpstr (pv_error_get_hint (error), ==, "there are a, b");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/recipe/defaults", test_defaults);
  pv_fixture_add ("/recipe/all-keys", test_all_keys);
  pv_fixture_add ("/recipe/invalid", test_invalid);
  pv_fixture_add ("/recipe/no-text", test_no_text);
  pv_fixture_add ("/recipe/dirs", test_dirs);
  pv_fixture_add ("/recipe/load", test_load);
  return g_test_run ();
}
