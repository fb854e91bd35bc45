/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fixture.h"

#include <errno.h>

static void
test_set (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (pv_error_set (&error, PV_ERROR_BUSY, "Cannot do \"%s\" %d", "this", 5));
  g_assert_error (error, PV_ERROR, PV_ERROR_BUSY);
  g_assert_cmpstr (error->message, ==, "Cannot do \"this\" 5");
  g_assert_null (pv_error_get_hint (error));
  g_assert_false (pv_error_set (NULL, PV_ERROR_BUSY, "nobody listens"));
  g_assert_false (pv_error_set_errno (NULL, ENOENT, "nobody listens"));
}

static void
test_errno (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    int saved_errno;
    PvErrorCode code;
  } rows[] = {
    { ENOENT, PV_ERROR_NOT_FOUND },       { ENOTDIR, PV_ERROR_NOT_FOUND },
    { ENOSYS, PV_ERROR_UNSUPPORTED },     { ENOLCK, PV_ERROR_UNSUPPORTED },
    { EOPNOTSUPP, PV_ERROR_UNSUPPORTED }, { EACCES, PV_ERROR_FAILED },
    { EIO, PV_ERROR_FAILED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *message
        = g_strdup_printf ("Cannot open \"x\": %s", g_strerror (rows[i].saved_errno));

      pv_error_set_errno (&error, rows[i].saved_errno, "Cannot open \"%s\"", "x");
      g_assert_error (error, PV_ERROR, (int) rows[i].code);
      g_assert_cmpstr (error->message, ==, message);
    }
}

static void
test_hint (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) copy = NULL;
  g_autoptr (GError) foreign = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "foreign");
  g_autoptr (GError) none = NULL;

  pv_error_set (&error, PV_ERROR_FAILED, "Cannot");
  g_assert_false (pv_error_hint (&error, "first"));
  g_assert_false (pv_error_hint (&error, "do %s", "that"));
  g_assert_cmpstr (pv_error_get_hint (error), ==, "do that");

  copy = g_error_copy (error);
  g_clear_error (&error);
  g_assert_cmpstr (pv_error_get_hint (copy), ==, "do that");

  pv_error_hint (&foreign, "no place for it");
  g_assert_null (pv_error_get_hint (foreign));
  pv_error_hint (&none, "nothing happened");
  pv_error_hint (NULL, "nobody listens");
  g_assert_null (pv_error_get_hint (none));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/error/set", test_set);
  pv_fixture_add ("/error/errno", test_errno);
  pv_fixture_add ("/error/hint", test_hint);
  return g_test_run ();
}
