/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "plan/environment.h"

#define RUNTIME_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

static void
assert_edits (const GPtrArray *edits, const char *const *expected)
{
  guint n = 0;

  for (; n < edits->len && expected[n] != NULL; n++)
    {
      const PvEnvironmentEdit *edit = edits->pdata[n];
      g_autofree char *text = edit->value != NULL
                                ? g_strconcat (edit->name, "=", edit->value, NULL)
                                : g_strdup (edit->name);

      g_assert_cmpstr (text, ==, expected[n]);
      g_assert_nonnull (edit->reason);
    }
  g_assert_cmpuint (n, ==, edits->len);
  g_assert_null (expected[n]);
}

static void
test_plan (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  const char *const environment[] = { "PATH=/sbin", "LD_PRELOAD=overlay.so", "not a variable",
                                      "XDG_RUNTIME_DIR=/run/user/1", "LD_X=a=b",
                                      "GLIBC_TUNABLES=x", "LDX=y", NULL };
  const char *const in_runtime[] = { "LD_PRELOAD=overlay.so", "LD_X=a=b", "GLIBC_TUNABLES=x",
                                     "container=pv-launch", "PATH=" RUNTIME_PATH,
                                     "XDG_RUNTIME_DIR=/run/user/1000", NULL };
  const char *const on_host[] = { "LD_PRELOAD=overlay.so", "LD_X=a=b", "GLIBC_TUNABLES=x",
                                  "container=pv-launch", NULL };
  const char *const asked_for[] = { "LD_X=a=b", "GLIBC_TUNABLES=x", "XDG_RUNTIME_DIR=/run/user/1000",
                                    "PATH=/mine", "LD_PRELOAD", "container", "NEW=", NULL };
  g_autoptr (GPtrArray) none = pv_environment_edits_new ();
  g_autoptr (GPtrArray) some = pv_environment_edits_new ();
  g_autoptr (GPtrArray) first = pv_environment_plan ((char **) environment, FALSE,
                                                     "/run/user/1000", none);
  g_autoptr (GPtrArray) second = pv_environment_plan ((char **) environment, TRUE, "/run/user/1",
                                                      none);
  g_autoptr (GPtrArray) third = NULL;

  assert_edits (first, in_runtime);
  assert_edits (second, on_host);

  /* What the user asks for wins, and each variable is there once. */
  pv_environment_edit (some, "PATH", "/mine", "asked for");
  pv_environment_edit (some, "LD_PRELOAD", NULL, "asked for");
  pv_environment_edit (some, "container", NULL, "asked for");
  pv_environment_edit (some, "NEW", "old", "asked for");
  pv_environment_edit (some, "NEW", "", "asked for");
  third = pv_environment_plan ((char **) environment, FALSE, "/run/user/1000", some);
  assert_edits (third, asked_for);
}

static void
test_loader (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_true (pv_environment_is_for_loader ("LD_LIBRARY_PATH=/x"));
  g_assert_true (pv_environment_is_for_loader ("LD_AUDIT"));
  g_assert_true (pv_environment_is_for_loader ("GLIBC_TUNABLES=a"));
  g_assert_false (pv_environment_is_for_loader ("LDFLAGS=x"));
  g_assert_false (pv_environment_is_for_loader ("MY_LD_X=x"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/environment/plan", test_plan);
  pv_fixture_add ("/environment/loader", test_loader);
  return g_test_run ();
}
