/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/bwrap-failure.h"

#include "base/error.h"

/* What bubblewrap wrote, and what a user is told. */
static const struct
{
  const char *text;
  PvErrorCode code;
  const char *message;
} rows[] = {
  { "", PV_ERROR_FAILED,
    "Cannot start bubblewrap: it ended without a word before the program ran" },
  { "\n\n", PV_ERROR_FAILED,
    "Cannot start bubblewrap: it ended without a word before the program ran" },
  { "bwrap: Can't mkdir /x: Read-only file system\n", PV_ERROR_FAILED,
    "Cannot start the container: bwrap: Can't mkdir /x: Read-only file system" },
  { "warning: odd\nbwrap: Can't find source path /x: No such file or directory\n", PV_ERROR_CHANGED,
    "Cannot start the container: bwrap: Can't find source path /x: No such file or directory" },
};

static void
test_set (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = g_strdup (rows[i].text);
      g_autoptr (GError) error = NULL;

      g_assert_false (pv_bwrap_failure_set (text, &error));
      g_assert_error (error, PV_ERROR, (int) rows[i].code);
      g_assert_cmpstr (error->message, ==, rows[i].message);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bwrap-failure/set", test_set);
  return g_test_run ();
}
