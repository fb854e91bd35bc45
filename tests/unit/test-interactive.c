/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "plan/interactive.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const odd[] = { "a b", "new\nline\n", "", "-n", "--", "'\"\\$HOME`id`*", "\xff",
                                   "",    NULL };

/* sh -c SCRIPT NAME */
#define SCRIPT_WORDS 4

static char **
make_program (const char *name)
{
  GPtrArray *words = g_ptr_array_new ();

  g_ptr_array_add (words, g_strdup (name));
  for (gsize i = 0; odd[i] != NULL; i++)
    g_ptr_array_add (words, g_strdup (odd[i]));
  g_ptr_array_add (words, NULL);
  return (char **)g_ptr_array_free (words, FALSE);
}

static void
test_words (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    PvShell shell;
    PvTerminal terminal;
    gsize scripts;
    const char *words[2];
  } rows[] = {
    { PV_SHELL_NONE, PV_TERMINAL_NONE, 0, { NULL } },
    { PV_SHELL_NONE, PV_TERMINAL_TTY, 0, { NULL } },
    { PV_SHELL_NONE, PV_TERMINAL_XTERM, 2, { "none", "xterm" } },
    { PV_SHELL_AFTER, PV_TERMINAL_TTY, 1, { "after", "tty" } },
    { PV_SHELL_FAIL, PV_TERMINAL_XTERM, 2, { "fail", "xterm" } },
    { PV_SHELL_INSTEAD, PV_TERMINAL_TTY, 1, { "instead", "tty" } },
  };
  g_auto (GStrv) program = make_program ("game");

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (GStrv) words = pv_interactive_wrap (program, rows[i].shell, rows[i].terminal);
      char **rest = words;

      for (gsize script = 0; script < rows[i].scripts; script++, rest += SCRIPT_WORDS)
        {
          g_assert_cmpstr (rest[0], ==, "/bin/sh");
          g_assert_cmpstr (rest[1], ==, "-c");
          g_assert_cmpstr (rest[3], ==, "pv-launch");
        }
      for (gsize k = 0; rows[i].scripts > 0 && k < G_N_ELEMENTS (rows[i].words); k++)
        g_assert_cmpstr (*rest++, ==, rows[i].words[k]);
      g_assert_cmpstrv (rest, program);
    }
}

/* In a pipe instead of a terminal: the shell reads what is to be done. */
static int
run (char **program, PvShell shell, const char *input, const char *path, char **ret_output)
{
  g_auto (GStrv) words = pv_interactive_wrap (program, shell, PV_TERMINAL_TTY);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) environment = g_environ_setenv (g_get_environ (), "HOME", "/nonexistent", TRUE);
  int status;

  environment = g_environ_setenv (environment, "PATH", path, TRUE);
  /* A session of its own: the shell must not find the terminal of who runs the test. */
  g_ptr_array_add (argv, (char *)"/usr/bin/setsid");
  g_ptr_array_add (argv, (char *)"-w");
  g_ptr_array_add (argv, (char *)"/bin/sh");
  g_ptr_array_add (argv, (char *)"-c");
  g_ptr_array_add (argv, (char *)"input=$1; shift; printf %s \"$input\" | \"$@\" 2>/dev/null");
  g_ptr_array_add (argv, (char *)"sh");
  g_ptr_array_add (argv, (char *)input);
  for (gsize i = 0; words[i] != NULL; i++)
    g_ptr_array_add (argv, words[i]);
  g_ptr_array_add (argv, NULL);
  g_spawn_sync (NULL, (char **)argv->pdata, environment, G_SPAWN_DEFAULT, NULL, NULL, ret_output,
                NULL, &status, &error);
  g_assert_no_error (error);
  return WEXITSTATUS (status);
}

static void
test_run (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *program, *script;
    PvShell shell;
    const char *input;
    int status;
    const char *says, *says_not;
  } rows[] = {
    { "sh", "exit 3", PV_SHELL_AFTER, "exit 5", 3, "status 3", NULL },
    { "sh", "exit 0", PV_SHELL_AFTER, "echo here; exit 5", 0, "here", NULL },
    { "sh", "exit 0", PV_SHELL_FAIL, "echo here; exit 5", 0, "", "here" },
    { "sh", "exit 3", PV_SHELL_FAIL, "echo here; exit 5", 3, "here", NULL },
    { "sh", "echo ran", PV_SHELL_INSTEAD, "exit 5", 5, "", "ran" },
    { "sh", "echo ran", PV_SHELL_INSTEAD, "\"$@\"; exit 5", 5, "ran", NULL },
    { "sh", "kill -9 $$", PV_SHELL_AFTER, "", 137, "status 137", NULL },
    { "nothing-like-this", "", PV_SHELL_FAIL, "echo here", 127, "here", NULL },
    /* What the shell has a command for is a program nevertheless, or not there. */
    { "exit", "exit 9", PV_SHELL_AFTER, "echo here", 127, "here", NULL },
    { "shift", "", PV_SHELL_AFTER, "echo here", 127, "here", NULL },
    { "--nothing", "", PV_SHELL_AFTER, "echo here", 127, "here", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *program[] = { rows[i].program, "-c", rows[i].script, NULL };
      g_autofree char *output = NULL;
      int status = run ((char **)program, rows[i].shell, rows[i].input, "/usr/bin:/bin", &output);

      g_test_message ("row %zu: %d %s", i, status, output);
      g_assert_cmpint (status, ==, rows[i].status);
      g_assert_nonnull (strstr (output, rows[i].says));
      if (rows[i].says_not != NULL)
        g_assert_null (strstr (output, rows[i].says_not));
    }
}

/* Byte-exact, and again in the shell: where that is bash, and where it is not. */
static void
test_arguments (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *printer = pv_fixture_path (fixture, "-print");
  g_autofree char *words = g_strjoinv ("|", (char **)odd);
  g_autofree char *wanted = g_strdup_printf ("<%s>", words);
  const struct
  {
    const char *name, *path;
  } rows[] = { { printer, "/usr/bin:/bin" }, { "-print", fixture->path } };

  pv_fixture_write (fixture, "-print", "#!/bin/sh\nIFS='|'\nprintf '<%s>' \"$*\"\nexit 7\n");
  g_assert_cmpint (chmod (printer, 0755), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (GStrv) program = make_program (rows[i].name);
      g_autofree char *output = NULL;
      int status = run (program, PV_SHELL_AFTER, "\"$@\"\n", rows[i].path, &output);
      const char *first = g_strstr_len (output, -1, wanted);

      g_test_message ("%d %s", status, output);
      g_assert_cmpint (status, ==, 7);
      g_assert_nonnull (first);
      g_assert_nonnull (strstr (first + 1, wanted));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/interactive/words", test_words);
  pv_fixture_add ("/interactive/run", test_run);
  pv_fixture_add ("/interactive/arguments", test_arguments);
  return g_test_run ();
}
