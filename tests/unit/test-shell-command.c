/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command is run, with something in bubblewrap's place that says what it was given. */
#include "fixture.h"
#include "launch/shell-command.h"

#include <string.h>
#include <sys/stat.h>

#define FAKE_BWRAP                                                                                 \
  "#!/bin/sh\n"                                                                                    \
  "printf '<%s>' \"$@\"\n"                                                                         \
  "printf '\\nLD_X=%s\\n' \"${LD_X-unset}\"\n"                                                     \
  "for fd in 3 4 5; do printf '[%s:' $fd; cat <&$fd; printf ']'; done 2>/dev/null\n"

static PvPlan *
make_plan (const char *const *data, const char *origin)
{
  PvPlan *plan = g_new0 (PvPlan, 1);

  plan->mounts = pv_mounts_new ();
  plan->edits = pv_environment_edits_new ();
  plan->notices = g_ptr_array_new_with_free_func (g_free);
  plan->cwd = g_strdup ("/it's");
  plan->share_pid = plan->share_net = TRUE;
  pv_environment_edit (plan->edits, "V", "$HOME `id` \\ \"\n'", "why");
  for (gsize i = 0; data[i] != NULL; i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new_static (data[i], strlen (data[i]));

      pv_mounts_file (plan->mounts, bytes, i == 0 ? origin : NULL, "/f", "why");
    }
  return plan;
}

/* Returns: what the fake bubblewrap says when the command is run by a shell */
static char *
run (const PvFixture *fixture, const PvPlan *plan)
{
  const char *const environment[] = { "LD_X=1", "PATH=/bin", NULL };
  const char *const program[] = { "echo", "a b", "", "--x", "$y", NULL };
  g_autofree char *bwrap = pv_fixture_path (fixture, "b'wrap");
  g_autofree char *command = NULL;
  const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
  g_autoptr (GError) error = NULL;
  char *output;
  int status;

  pv_fixture_write (fixture, "b'wrap", FAKE_BWRAP);
  g_assert_cmpint (chmod (bwrap, 0755), ==, 0);
  command = pv_shell_command (plan, bwrap, (char **) environment, (char **) program, FALSE);
  argv[2] = command;
  g_spawn_sync (NULL, (char **) argv, (char **) environment, G_SPAWN_DEFAULT, NULL, NULL, &output,
                NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return output;
}

#define ARGS                                                                                       \
  "<--setenv><V><$HOME `id` \\ \"\n'><--chdir></it's><--><echo><a b><><--x><$y>\nLD_X=unset\n"

static void
test_quoting (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const nothing[] = { NULL };
  g_autoptr (PvPlan) plan = make_plan (nothing, NULL);
  g_autofree char *output = run (fixture, plan);

  g_assert_true (g_str_has_prefix (output, "<--cap-drop><ALL>" ARGS));
}

#define FILE_ARGS(fd) "<--perms><0644><--file><" fd "></f>"

/* The end of a here-document must not be in it, nor a shell's substitutions be made. */
static void
test_documents (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const files[]
    = { "a\nEND\nEND_\n$HOME `id` \\\n", "", "no newline at its END", NULL };
  g_autoptr (PvPlan) plan = make_plan (files, NULL);
  g_autofree char *output = run (fixture, plan);

  g_assert_cmpstr (output, ==,
                   "<--cap-drop><ALL>" FILE_ARGS ("3") FILE_ARGS ("4") FILE_ARGS ("5") ARGS
                   "[3:a\nEND\nEND_\n$HOME `id` \\\n][4:][5:no newline at its END\n]");
}

/* What the host has in a file is taken from there. */
static void
test_origin (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const files[] = { "as it was", NULL };
  g_autofree char *origin = pv_fixture_path (fixture, "the 'origin'");
  g_autoptr (PvPlan) plan = make_plan (files, origin);
  g_autofree char *output = NULL;

  pv_fixture_write (fixture, "the 'origin'", "as it is");
  output = run (fixture, plan);
  g_assert_nonnull (strstr (output, "[3:as it is]"));
}

/* Shells read one digit: what has no number left is mounted from where it is. */
static void
test_many_files (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const files[] = { "passwd", "group", "manager", NULL };
  g_autofree char *origin = pv_fixture_path (fixture, "origin");
  g_autofree char *bound = g_strconcat ("<--ro-bind><", origin, "></f>", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  g_autoptr (PvPlan) plan = make_plan (files, NULL);
  g_autofree char *output = NULL;

  pv_fixture_write (fixture, "origin", "origin");
  for (guint i = 0; i < 6; i++)
    pv_mounts_file (plan->mounts, bytes, origin, "/f", "why");
  output = run (fixture, plan);
  g_assert_nonnull (strstr (output, bound));
  g_assert_null (strstr (output, "<10>"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/shell-command/quoting", test_quoting);
  pv_fixture_add ("/shell-command/documents", test_documents);
  pv_fixture_add ("/shell-command/origin", test_origin);
  pv_fixture_add ("/shell-command/many-files", test_many_files);
  return g_test_run ();
}
