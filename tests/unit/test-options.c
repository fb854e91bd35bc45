/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "fixture.h"
#include "option-table.h"
#include "options.h"
#include "plan/print.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Splits @line at its bars.  Returns: what came of it */
static PvOptions *
parse (const char *line, const char *environment, GError **error)
{
  g_autofree char *whole = g_strconcat ("pv-launch|", line, NULL);
  g_auto (GStrv) argv = g_strsplit (whole, "|", -1);
  g_auto (GStrv) variables = g_strsplit (environment, "|", -1);

  return pv_options_parse ((int) g_strv_length (argv), argv, variables, error);
}

static const PvPlanOption *
find (const PvOptions *options, const char *name)
{
  for (guint i = 0; i < options->printable->len; i++)
    {
      const PvPlanOption *option = options->printable->pdata[i];

      if (strcmp (option->name, name) == 0)
        return option;
    }
  g_assert_not_reached ();
}

static void
test_defaults (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PvOptions) options = parse ("game|--runtime=x|-v", "", &error);
  static const char *const program[] = { "game", "--runtime=x", "-v", NULL };

  g_assert_no_error (error);
  g_assert_cmpint (options->action, ==, PV_ACTION_RUN);
  g_assert_cmpstr (options->runtime, ==, "");
  g_assert_null (options->runtime_base);
  g_assert_cmpint (options->lock_timeout_ms, ==, 30 * 1000);
  g_assert_cmpint (options->lock_on_remote, ==, PV_REMOTE_WARN);
  g_assert_cmpint (options->status_fd, ==, -1);
  g_assert_cmpint (options->home_kind, ==, PV_HOME_SHARED);
  g_assert_true (options->share_pid);
  g_assert_true (options->share_net);
  g_assert_cmpint (options->log_level, ==, PV_LOG_WARNING);
  g_assert_cmpstrv (options->program, program);
  g_assert_cmpstr (find (options, "runtime")->source, ==, "default");
}

/* argv over our variable, that over the other's name, that over the default. */
static void
test_precedence (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *line, *environment, *runtime, *source;
  } rows[] = {
    { "--runtime=a|x", "PV_LAUNCH_RUNTIME=b|PRESSURE_VESSEL_RUNTIME=c", "a", "argv" },
    { "x", "PV_LAUNCH_RUNTIME=b|PRESSURE_VESSEL_RUNTIME=c", "b", "PV_LAUNCH_RUNTIME" },
    { "x", "PRESSURE_VESSEL_RUNTIME=c", "c", "PRESSURE_VESSEL_RUNTIME" },
    { "x", "PV_LAUNCH_RUNTIME=|PRESSURE_VESSEL_RUNTIME=c", "c", "PRESSURE_VESSEL_RUNTIME" },
    { "x", "RUNTIME=c", "", "default" },
    { "--runtime=a|--runtime=|x", "PV_LAUNCH_RUNTIME=b", "", "argv" },
    { "--runtime|a|x", "", "a", "argv" },
    { "--runtime=a|--|--x", "", "a", "argv" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (PvOptions) options = parse (rows[i].line, rows[i].environment, NULL);

      g_assert_nonnull (options);
      g_assert_cmpstr (options->runtime, ==, rows[i].runtime);
      g_assert_cmpstr (find (options, "runtime")->source, ==, rows[i].source);
    }
}

static void
test_switches (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *line, *environment;
    gboolean share_pid, share_net;
    PvHomeKind home;
    PvLogLevel level;
  } rows[] = {
    { "--unshare-pid|x", "", FALSE, TRUE, PV_HOME_SHARED, PV_LOG_WARNING },
    { "--unshare-pid|--share-pid|x", "", TRUE, TRUE, PV_HOME_SHARED, PV_LOG_WARNING },
    { "--share-pid|x", "PV_LAUNCH_SHARE_PID=0", TRUE, TRUE, PV_HOME_SHARED, PV_LOG_WARNING },
    { "x", "PRESSURE_VESSEL_SHARE_PID=0", FALSE, TRUE, PV_HOME_SHARED, PV_LOG_WARNING },
    { "x", "PV_LAUNCH_UNSHARE_NET=1", TRUE, FALSE, PV_HOME_SHARED, PV_LOG_WARNING },
    { "--unshare-home|x", "", TRUE, TRUE, PV_HOME_EMPTY, PV_LOG_WARNING },
    { "x", "PV_LAUNCH_SHARE_HOME=0", TRUE, TRUE, PV_HOME_EMPTY, PV_LOG_WARNING },
    { "--home=/srv|x", "", TRUE, TRUE, PV_HOME_PRIVATE, PV_LOG_WARNING },
    { "--home=/srv|--unshare-home|x", "", TRUE, TRUE, PV_HOME_PRIVATE, PV_LOG_WARNING },
    { "--verbose|x", "", TRUE, TRUE, PV_HOME_SHARED, PV_LOG_INFO },
    { "--verbose|--log-level=debug|x", "", TRUE, TRUE, PV_HOME_SHARED, PV_LOG_DEBUG },
    { "x", "PV_LAUNCH_LOG_LEVEL=error", TRUE, TRUE, PV_HOME_SHARED, PV_LOG_ERROR },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PvOptions) options = parse (rows[i].line, rows[i].environment, &error);

      g_test_message ("row %zu", i);
      g_assert_no_error (error);
      g_assert_cmpint (options->share_pid, ==, rows[i].share_pid);
      g_assert_cmpint (options->share_net, ==, rows[i].share_net);
      g_assert_cmpint (options->home_kind, ==, rows[i].home);
      g_assert_cmpint (options->log_level, ==, rows[i].level);
    }
}

static void
test_interactive (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *line, *environment;
    PvTerminal terminal;
    const char *shell;
  } rows[] = {
    { "x", "", PV_TERMINAL_NONE, NULL },
    { "--shell=none|x", "", PV_TERMINAL_NONE, NULL },
    { "--terminal=auto|x", "", PV_TERMINAL_NONE, NULL },
    { "--terminal=none|x", "", PV_TERMINAL_NONE, NULL },
    { "--terminal=tty|x", "", PV_TERMINAL_TTY, NULL },
    { "--terminal=xterm|x", "", PV_TERMINAL_XTERM, "none" },
    { "--shell=after|x", "", PV_TERMINAL_XTERM, "after" },
    { "--shell=fail|--terminal=auto|x", "", PV_TERMINAL_XTERM, "fail" },
    { "--shell=instead|--terminal=tty|x", "", PV_TERMINAL_TTY, "instead" },
    { "x", "PV_LAUNCH_SHELL=after|PV_LAUNCH_TERMINAL=tty", PV_TERMINAL_TTY, "after" },
    { "x", "PRESSURE_VESSEL_SHELL=fail|PRESSURE_VESSEL_TERMINAL=xterm", PV_TERMINAL_XTERM, "fail" },
    { "--shell=none|x", "PV_LAUNCH_SHELL=after", PV_TERMINAL_NONE, NULL },
    { "--batch|x", "PV_LAUNCH_SHELL=after|PV_LAUNCH_TERMINAL=tty", PV_TERMINAL_NONE, NULL },
    { "--shell=after|--batch|--terminal=tty|x", "", PV_TERMINAL_NONE, NULL },
    { "--shell=after|--terminal=none|x", "PV_LAUNCH_BATCH=1", PV_TERMINAL_NONE, NULL },
    { "--shell=after|x", "PRESSURE_VESSEL_BATCH=1", PV_TERMINAL_NONE, NULL },
    { "--terminal=tty|x", "PV_LAUNCH_BATCH=0", PV_TERMINAL_TTY, NULL },
    { "--test", "PV_LAUNCH_SHELL=after", PV_TERMINAL_NONE, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PvOptions) options = parse (rows[i].line, rows[i].environment, &error);

      g_test_message ("row %zu", i);
      g_assert_no_error (error);
      g_assert_cmpint (options->terminal, ==, rows[i].terminal);
      g_assert_cmpint (strcmp (options->program[0], "/bin/sh") == 0, ==, rows[i].shell != NULL);
      if (rows[i].shell != NULL)
        g_assert_true (g_strv_contains ((const char *const *) options->program, rows[i].shell));
    }
}

static void
test_actions (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *line;
    PvAction action;
  } rows[] = {
    { "--dry-run|x", PV_ACTION_DRY_RUN_TEXT },      { "--dry-run=json|x", PV_ACTION_DRY_RUN_JSON },
    { "--dry-run=argv|x", PV_ACTION_DRY_RUN_ARGV }, { "--only-prepare|x", PV_ACTION_ONLY_PREPARE },
    { "--test", PV_ACTION_TEST },                   { "--help", PV_ACTION_HELP },
    { "--version", PV_ACTION_VERSION },             { "--help|--runtime=x", PV_ACTION_HELP },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (PvOptions) options = parse (rows[i].line, "", NULL);

      g_assert_nonnull (options);
      g_assert_cmpint (options->action, ==, rows[i].action);
    }
}

static void
test_lists (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *path;
    gboolean read_only;
  } expected[] = { { "/usr", TRUE }, { "/etc", FALSE }, { "/tmp", FALSE }, { "/", TRUE } };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvOptions) options
    = parse ("--filesystem=/tmp|--filesystem=/:ro|--setenv=A=b=c|--setenv=E=|--unsetenv=U|"
             "--env-if-host=H=1|x",
             "PV_LAUNCH_FILESYSTEM=/usr:ro:/etc|PV_LAUNCH_SETENV=L1=a:b\nL2=c\n", &error);
  g_autoptr (GPtrArray) in_runtime = NULL;
  g_autoptr (GPtrArray) on_host = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (options->shares->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      const PvShareRequest *share = options->shares->pdata[i];

      g_assert_cmpstr (share->path->asked, ==, expected[i].path);
      g_assert_cmpint (share->read_only, ==, expected[i].read_only);
    }
  g_assert_cmpstr (find (options, "filesystem")->source, ==, "PV_LAUNCH_FILESYSTEM and argv");

  in_runtime = pv_options_get_edits (options, FALSE);
  on_host = pv_options_get_edits (options, TRUE);
  g_assert_cmpuint (in_runtime->len, ==, 5);
  g_assert_cmpuint (on_host->len, ==, 6);
  g_assert_cmpstr (((PvEnvironmentEdit *) in_runtime->pdata[0])->name, ==, "U");
  g_assert_null (((PvEnvironmentEdit *) in_runtime->pdata[0])->value);
  g_assert_cmpstr (((PvEnvironmentEdit *) in_runtime->pdata[1])->value, ==, "a:b");
  g_assert_cmpstr (((PvEnvironmentEdit *) in_runtime->pdata[3])->value, ==, "b=c");
  g_assert_cmpstr (((PvEnvironmentEdit *) on_host->pdata[0])->name, ==, "H");
}

static void
test_pass_fd (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *line = g_strdup_printf ("--pass-fd=%d|--pass-fd=1|x", fixture->dir_fd);
  g_autoptr (PvOptions) options = parse (line, "", NULL);

  g_assert_nonnull (options);
  g_assert_cmpuint (options->pass_fds->len, ==, 1);
  g_assert_cmpint (g_array_index (options->pass_fds, int, 0), ==, fixture->dir_fd);
}

static void
test_status_fd (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  int flags[] = { O_RDONLY, O_RDONLY | O_PATH, O_WRONLY, O_RDWR };

  pv_fixture_write (fixture, "file", "");
  for (gsize i = 0; i < G_N_ELEMENTS (flags); i++)
    {
      pv_autofd fd = openat (fixture->dir_fd, "file", flags[i] | O_CLOEXEC);
      g_autofree char *word = g_strdup_printf ("--status-fd=%d", fd);
      g_autofree char *line = g_strconcat (word, "|x", NULL);
      g_autofree char *variable = g_strdup_printf ("PV_LAUNCH_STATUS_FD=%d", fd);
      g_autoptr (GError) error = NULL;
      g_autoptr (PvOptions) options = parse (line, "", &error);
      g_autoptr (PvOptions) by_variable = parse ("x", variable, NULL);

      g_assert_cmpint (options != NULL, ==, (flags[i] & O_ACCMODE) != O_RDONLY);
      g_assert_cmpint (by_variable != NULL, ==, options != NULL);
      if (options != NULL)
        {
          g_assert_cmpint (options->status_fd, ==, fd);
          g_assert_cmpint (by_variable->status_fd, ==, fd);
          continue;
        }
      g_assert_error (error, PV_ERROR, PV_ERROR_USAGE);
      g_assert_nonnull (strstr (error->message, word));
      g_assert_nonnull (strstr (error->message, "reading only"));
    }
}

/* Seconds as they are said, milliseconds as they are used. */
static void
test_ends (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *line, *environment;
    int terminate_ms, idle_ms;
    gboolean with_parent;
  } rows[] = {
    { "x", "", -1, 0, FALSE },
    { "--terminate-timeout=0|x", "", 0, 0, FALSE },
    { "--terminate-timeout=5|--terminate-idle-timeout=2.5|x", "", 5000, 2500, FALSE },
    { "--terminate-timeout=.25|x", "", 250, 0, FALSE },
    { "--terminate-timeout=1000000|x", "", 1000000000, 0, FALSE },
    { "--terminate-timeout=-1|x", "PV_LAUNCH_TERMINATE_TIMEOUT=5", -1, 0, FALSE },
    { "--terminate-timeout=-0.001|x", "", -1, 0, FALSE },
    { "--terminate-timeout=-5000000|x", "", -1, 0, FALSE },
    { "--terminate-idle-timeout=3|x", "", -1, 3000, FALSE },
    { "--exit-with-parent|x", "", -1, 0, TRUE },
    { "x", "PV_LAUNCH_EXIT_WITH_PARENT=1|PRESSURE_VESSEL_TERMINATE_TIMEOUT=7", 7000, 0, TRUE },
    { "x", "PV_LAUNCH_EXIT_WITH_PARENT=0|PRESSURE_VESSEL_TERMINATE_IDLE_TIMEOUT=4", -1, 4000,
      FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PvOptions) options = parse (rows[i].line, rows[i].environment, &error);

      g_test_message ("%s %s", rows[i].line, rows[i].environment);
      g_assert_no_error (error);
      g_assert_cmpint (options->terminate_ms, ==, rows[i].terminate_ms);
      g_assert_cmpint (options->terminate_idle_ms, ==, rows[i].idle_ms);
      g_assert_cmpint (options->exit_with_parent, ==, rows[i].with_parent);
    }
}

/* Each is a usage error that names the option, and the variable if it came from one. */
static void
test_bad (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *line, *environment, *names;
  } rows[] = {
    { "", "", "" },
    { "--", "", "no COMMAND" },
    { "--runtime=x", "", "no COMMAND" },
    { "--nonsense|x", "", "--nonsense" },
    { "-r|x", "", "-r" },
    { "--share|x", "", "--share" },
    { "--runtime", "", "--runtime" },
    { "--test=1", "", "--test" },
    { "--lock-timeout=|x", "", "--lock-timeout" },
    { "--lock-timeout=-1|x", "", "--lock-timeout=-1" },
    { "--lock-timeout=5s|x", "", "--lock-timeout=5s" },
    { "--lock-timeout=nan|x", "", "--lock-timeout=nan" },
    { "--lock-timeout=inf|x", "", "--lock-timeout=inf" },
    { "--lock-timeout=1e9|x", "", "--lock-timeout=1e9" },
    { "--lock-on-remote=maybe|x", "", "refuse, allow" },
    { "--log-level=loud|x", "", "error, warning, info, debug" },
    { "--dry-run=xml|x", "", "--dry-run=xml" },
    { "--home=rel|x", "", "--home=rel" },
    { "--home=/x|--share-home|x", "", "--share-home" },
    { "--filesystem=rel|x", "", "--filesystem=rel" },
    { "--filesystem=/does/not/exist|x", "", "\"/does/not/exist\"" },
    { "--pass-fd=x|x", "", "--pass-fd=x" },
    { "--pass-fd=-1|x", "", "--pass-fd=-1" },
    { "--pass-fd=987|x", "", "--pass-fd=987" },
    { "--pass-fd=99999999999|x", "", "--pass-fd=99999999999" },
    { "--status-fd=x|x", "", "--status-fd=x" },
    { "--status-fd=|x", "", "--status-fd=" },
    { "--status-fd=-1|x", "", "--status-fd=-1" },
    { "--status-fd=1x|x", "", "--status-fd=1x" },
    { "--status-fd=987|x", "", "--status-fd=987" },
    { "--status-fd=99999999999|x", "", "--status-fd=99999999999" },
    { "--terminate-timeout=|x", "", "--terminate-timeout=" },
    { "--terminate-timeout=-|x", "", "--terminate-timeout=-" },
    { "--terminate-timeout=--1|x", "", "--terminate-timeout=--1" },
    { "--terminate-timeout=+1|x", "", "--terminate-timeout=+1" },
    { "--terminate-timeout=1s|x", "", "--terminate-timeout=1s" },
    { "--terminate-timeout=1.2.3|x", "", "--terminate-timeout=1.2.3" },
    { "--terminate-timeout=0x10|x", "", "--terminate-timeout=0x10" },
    { "--terminate-timeout=-nan|x", "", "--terminate-timeout=-nan" },
    { "--terminate-timeout=-inf|x", "", "--terminate-timeout=-inf" },
    { "--terminate-timeout=1000001|x", "", "--terminate-timeout=1000001" },
    { "--terminate-idle-timeout=-1|x", "", "--terminate-idle-timeout=-1" },
    { "--terminate-idle-timeout=soon|x", "", "--terminate-idle-timeout=soon" },
    { "--exit-with-parent=1|x", "", "--exit-with-parent" },
    { "--setenv=X|x", "", "--setenv=X" },
    { "--setenv==X|x", "", "--setenv==X" },
    { "--unsetenv=X=Y|x", "", "--unsetenv=X=Y" },
    { "--unsetenv=|x", "", "--unsetenv=" },
    { "--shell=later|x", "", "none, after, fail, instead" },
    { "--shell=|x", "", "--shell=" },
    { "--terminal=vt100|x", "", "auto, none, tty, xterm" },
    { "--shell=after|--terminal=none|x", "", "--shell=after" },
    { "--shell=after|--terminal=none|x", "", "--terminal=none" },
    { "--terminal=none|x", "PV_LAUNCH_SHELL=fail", "(from PV_LAUNCH_SHELL)" },
    { "--test|--only-prepare", "", "--only-prepare" },
    { "--writable-copy|x", "", "--writable-copy=1" },
    { "--keep-copy|x", "", "--keep-copy=1" },
    { "--copy-strategy=auto|x", "", "--copy-strategy=auto" },
    { "--verify|x", "", "--verify=1" },
    { "x", "PV_LAUNCH_WRITABLE_COPY=1", "(from PV_LAUNCH_WRITABLE_COPY)" },
    { "x", "PV_LAUNCH_KEEP_COPY=1", "(from PV_LAUNCH_KEEP_COPY)" },
    { "x", "PV_LAUNCH_COPY_STRATEGY=copy", "(from PV_LAUNCH_COPY_STRATEGY)" },
    { "x", "PV_LAUNCH_SHARE_PID=yes", "(from PV_LAUNCH_SHARE_PID)" },
    { "x", "PV_LAUNCH_EXIT_WITH_PARENT=yes", "(from PV_LAUNCH_EXIT_WITH_PARENT)" },
    { "x", "PV_LAUNCH_STATUS_FD=987", "(from PV_LAUNCH_STATUS_FD)" },
    { "x", "PV_LAUNCH_TERMINATE_TIMEOUT=x", "(from PV_LAUNCH_TERMINATE_TIMEOUT)" },
    { "x", "PRESSURE_VESSEL_LOCK_TIMEOUT=soon", "(from PRESSURE_VESSEL_LOCK_TIMEOUT)" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PvOptions) options = parse (rows[i].line, rows[i].environment, &error);

      g_test_message ("%s %s", rows[i].line, rows[i].environment);
      if (rows[i].line[0] == '\0')
        {
          /* The empty word is a command that cannot be found, not a missing one. */
          g_assert_nonnull (options);
          continue;
        }
      g_assert_null (options);
      g_assert_error (error, PV_ERROR, PV_ERROR_USAGE);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, rows[i].names));
    }
}

/* Each can be said in the environment, but those that only ask for something. */
static void
test_table (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *help = pv_options_get_help ();
  g_auto (GStrv) lines = g_strsplit (help, "\n", -1);
  gboolean said[PV_N_OPTIONS] = { FALSE };

  for (gsize i = 0; i < pv_option_table_length; i++)
    {
      g_autofree char *dashed = g_strconcat ("  --", pv_option_table[i].name, NULL);

      said[pv_option_table[i].id] = TRUE;
      g_assert_nonnull (strstr (help, dashed));
      g_assert_nonnull (strstr (help, pv_option_table[i].help));
    }
  for (guint id = 0; id < PV_N_OPTIONS; id++)
    g_assert_true (said[id]);
  for (gsize i = 0; lines[i] != NULL; i++)
    g_assert_cmpint (g_utf8_strlen (lines[i], -1), <=, 80);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/options/defaults", test_defaults);
  pv_fixture_add ("/options/precedence", test_precedence);
  pv_fixture_add ("/options/switches", test_switches);
  pv_fixture_add ("/options/interactive", test_interactive);
  pv_fixture_add ("/options/actions", test_actions);
  pv_fixture_add ("/options/lists", test_lists);
  pv_fixture_add ("/options/pass-fd", test_pass_fd);
  pv_fixture_add ("/options/status-fd", test_status_fd);
  pv_fixture_add ("/options/ends", test_ends);
  pv_fixture_add ("/options/bad", test_bad);
  pv_fixture_add ("/options/table", test_table);
  return g_test_run ();
}
