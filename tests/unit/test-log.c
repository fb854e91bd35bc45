/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What @say writes to standard error. */
static char *
capture (void (*say) (gconstpointer data), gconstpointer data)
{
  pv_autofd saved = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  pv_autofd file = memfd_create ("captured", MFD_CLOEXEC);
  char *text;

  g_assert_cmpint (dup2 (file, STDERR_FILENO), ==, STDERR_FILENO);
  say (data);
  g_assert_cmpint (dup2 (saved, STDERR_FILENO), ==, STDERR_FILENO);
  g_assert_cmpint (lseek (file, 0, SEEK_SET), ==, 0);
  text = pv_fd_read_all (file, 65536, NULL, NULL);
  g_assert_nonnull (text);
  return text;
}

static void
say_warning (gconstpointer text)
{
  pv_warning ("%s", (const char *) text);
}

static void
say_error (gconstpointer error)
{
  pv_log_error (error);
}

static void
say_all (gconstpointer data G_GNUC_UNUSED)
{
  pv_log (PV_LOG_ERROR, "e");
  pv_warning ("w");
  pv_info ("i");
  pv_debug ("d");
}

static void
test_escape (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *text;
    const char *line;
  } rows[] = {
    { "plain", "prog: warning: plain\n" },
    { "a\nprog: forged", "prog: warning: a\\x0aprog: forged\n" },
    { "\x1b[2J\x7f\t", "prog: warning: \\x1b[2J\\x7f\\x09\n" },
    { "Gr\xc3\xbc\xc3\x9f" "e \xe2\x80\xa6", "prog: warning: Gr\xc3\xbc\xc3\x9f" "e \xe2\x80\xa6\n" },
    /* A terminal that knows the C1 controls takes U+009B for ESC [ */
    { "\xc2\x9b" "2J", "prog: warning: \\xc2\\x9b" "2J\n" },
    { "", "prog: warning: \n" },
  };

  pv_log_set_level (PV_LOG_WARNING);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *line = capture (say_warning, rows[i].text);

      g_assert_cmpstr (line, ==, rows[i].line);
    }
}

static void
test_levels (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const said[] = {
    "prog: e\n",
    "prog: e\nprog: warning: w\n",
    "prog: e\nprog: warning: w\nprog: info: i\n",
    "prog: e\nprog: warning: w\nprog: info: i\nprog: debug: d\n",
  };

  for (guint level = PV_LOG_ERROR; level <= PV_LOG_DEBUG; level++)
    {
      g_autofree char *text = NULL;
      PvLogLevel parsed;

      pv_log_set_level ((PvLogLevel) level);
      g_assert_cmpint (pv_log_get_level (), ==, level);
      text = capture (say_all, NULL);
      g_assert_cmpstr (text, ==, said[level]);
      g_assert_true (pv_log_level_from_string (pv_log_level_to_string ((PvLogLevel) level), &parsed));
      g_assert_cmpint (parsed, ==, level);
    }
  {
    PvLogLevel parsed;

    g_assert_false (pv_log_level_from_string ("loud", &parsed));
    g_assert_false (pv_log_level_from_string ("", &parsed));
  }
}

static void
test_error (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *without = NULL;
  g_autofree char *with = NULL;

  pv_log_set_level (PV_LOG_ERROR);
  pv_error_set (&error, PV_ERROR_FAILED, "Cannot open \"%s\"", "a\nb");
  without = capture (say_error, error);
  g_assert_cmpstr (without, ==, "prog: Cannot open \"a\\x0ab\"\n");
  pv_error_hint (&error, "rename\nit");
  with = capture (say_error, error);
  g_assert_cmpstr (with, ==, "prog: Cannot open \"a\\x0ab\"\nhint: rename\\x0ait\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_log_init ("prog");
  pv_fixture_add ("/log/escape", test_escape);
  pv_fixture_add ("/log/levels", test_levels);
  pv_fixture_add ("/log/error", test_error);
  return g_test_run ();
}
