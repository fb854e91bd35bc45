/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fixture.h"
#include "host/bwrap.h"

#include <string.h>
#include <sys/stat.h>

/* Our own variable first; what is named, and cannot be executed, is not replaced by another. */
static void
test_find (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *good = pv_fixture_path (fixture, "good");
  g_autofree char *bad = pv_fixture_path (fixture, "bad");
  const struct
  {
    const char *own, *other, *third, *found;
  } rows[] = {
    { good, bad, bad, good }, { "", good, bad, good }, { NULL, NULL, good, good },
    { bad, good, good, NULL }, { NULL, bad, good, NULL },
  };

  pv_fixture_write (fixture, "good", "");
  pv_fixture_write (fixture, "bad", "");
  g_assert_cmpint (chmod (good, 0755), ==, 0);
  g_assert_cmpint (chmod (bad, 0644), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (GStrv) environment = g_new0 (char *, 1);
      g_autofree char *found = NULL;
      g_autoptr (GError) error = NULL;

      if (rows[i].own != NULL)
        environment = g_environ_setenv (environment, "PV_LAUNCH_BWRAP", rows[i].own, TRUE);
      if (rows[i].other != NULL)
        environment = g_environ_setenv (environment, "PRESSURE_VESSEL_BWRAP", rows[i].other, TRUE);
      if (rows[i].third != NULL)
        environment = g_environ_setenv (environment, "BWRAP", rows[i].third, TRUE);
      found = pv_bwrap_find (environment, &error);
      g_assert_cmpstr (found, ==, rows[i].found);
      if (found == NULL)
        g_assert_nonnull (strstr (error->message, bad));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/bwrap/find", test_find);
  return g_test_run ();
}
