/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"
#include "fixture.h"
#include "plan/print.h"

#include <jansson.h>
#include <string.h>

static char name[] = "runtime", value[] = "a\nb", source[] = "argv";
static PvPlanOption option = { name, value, source };
static char *program[] = { (char *) "game", (char *) "\xff", NULL };

static PvPlan *
make_report (PvFake *fake, PvPlanReport *report)
{
  PvPlan *plan;

  pv_fake_init (fake, PV_LAYOUT_USR);
  g_free (fake->runtime.path);
  fake->runtime.path = g_strdup ("/srv/new\nline");
  fake->input.sysroot.path = fake->runtime.path;
  pv_fake_share (fake, "/srv/a", NULL, TRUE);
  plan = pv_plan_new (&fake->input, NULL);
  g_assert_nonnull (plan);
  *report = (PvPlanReport) { &fake->runtime, g_ptr_array_new (), plan, program };
  g_ptr_array_add (report->options, &option);
  return plan;
}

static void
test_json (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const keys[] = { "runtime", "options", "mount_count", "mounts", "share_pid",
                                      "share_net", "environment", "cwd", "program" };
  PvPlanReport report;
  PvFake fake;
  PvPlan *plan = make_report (&fake, &report);
  g_autofree char *text = pv_plan_to_json (&report);
  json_t *root = json_loads (text, JSON_REJECT_DUPLICATES, NULL);
  json_t *first;

  g_assert_nonnull (root);
  g_assert_true (g_str_has_suffix (text, "}\n"));
  g_assert_cmpuint (json_object_size (root), ==, G_N_ELEMENTS (keys));
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    g_assert_nonnull (json_object_get (root, keys[i]));

  first = json_array_get (json_object_get (root, "mounts"), 0);
  g_assert_cmpstr (json_string_value (json_object_get (first, "kind")), ==, "ro-bind");
  g_assert_cmpstr (json_string_value (json_object_get (first, "source")), ==, "/srv/new\nline");
  g_assert_cmpstr (json_string_value (json_object_get (first, "dest")), ==, "/usr");
  g_assert_true (json_is_true (json_object_get (first, "is_mount")));
  g_assert_cmpint (json_integer_value (json_object_get (root, "mount_count")), ==,
                   pv_plan_count_mounts (plan));
  /* A name that is no UTF-8 does not break the rest. */
  g_assert_cmpstr (json_string_value (json_array_get (json_object_get (root, "program"), 1)), ==,
                   "\xef\xbf\xbd");
  json_decref (root);
  g_ptr_array_unref (report.options);
  pv_plan_free (plan);
  pv_fake_clear (&fake);
}

static void
test_text (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvPlanReport report;
  PvFake fake;
  PvPlan *plan = make_report (&fake, &report);
  g_autofree char *text = pv_plan_to_text (&report);

  g_assert_true (g_str_has_prefix (text, "Runtime\n  /srv/new\\x0aline (usr)\n"));
  g_assert_nonnull (strstr (text, "--runtime            a\\x0ab"));
  g_assert_nonnull (strstr (text, "/srv/a"));
  g_assert_nonnull (strstr (text, "container=pv-launch"));
  /* Each mount comes with its reason. */
  for (guint i = 0; i < plan->mounts->len; i++)
    g_assert_nonnull (strstr (text, ((PvMount *) plan->mounts->pdata[i])->reason));
  g_ptr_array_unref (report.options);
  pv_plan_free (plan);
  pv_fake_clear (&fake);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/print/json", test_json);
  pv_fixture_add ("/print/text", test_text);
  return g_test_run ();
}
