/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fixture.h"
#include "host/userns.h"

#include <string.h>

/* A fake root has the files of /proc/sys; the last question goes to the real kernel. */
static void
test_switches (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *file;
    const char *value;
    const char *open;
    const char *says;
    const char *hint;
  } rows[] = {
    { "proc/sys/user/max_user_namespaces", "0\n", "15000\n", "user.max_user_namespaces is 0",
      "sysctl user.max_user_namespaces=" },
    { "proc/sys/kernel/unprivileged_userns_clone", "0\n", "1\n", "unprivileged_userns_clone is 0",
      "sysctl kernel.unprivileged_userns_clone=1" },
    { "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "0\n",
      "AppArmor restricts them", "AppArmor profile" },
  };
  g_autoptr (GError) here = NULL;
  gboolean blocked_here = pv_userns_is_blocked (fixture->dir_fd, &here);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      pv_fixture_write (fixture, rows[i].file, rows[i].value);
      g_assert_true (pv_userns_is_blocked (fixture->dir_fd, &error));
      g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, rows[i].says));
      g_assert_nonnull (strstr (pv_error_get_hint (error), rows[i].hint));
      g_clear_error (&error);

      pv_fixture_write (fixture, rows[i].file, rows[i].open);
      g_assert_cmpint (pv_userns_is_blocked (fixture->dir_fd, &error), ==, blocked_here);
      g_assert_cmpint (error != NULL, ==, blocked_here);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/userns/switches", test_switches);
  return g_test_run ();
}
