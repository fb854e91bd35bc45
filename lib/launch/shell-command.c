/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan as a shell command that runs as it stands: --dry-run=argv. */
#include "launch/shell-command.h"
#include "launch/bwrap-args.h"

#include <string.h>

/* A shell need not read more than one digit in front of a redirection. */
#define FIRST_FD 3
#define LAST_FD 9

static gboolean
contains_line (const char *data, gsize length, const char *line)
{
  return g_strstr_len (data, (gssize) length, line) != NULL;
}

static char *
choose_delimiter (const char *data, gsize length)
{
  char *delimiter = g_strdup ("END");

  while (contains_line (data, length, delimiter))
    {
      char *longer = g_strconcat (delimiter, "_", NULL);

      g_free (delimiter);
      delimiter = longer;
    }
  return delimiter;
}

/* The redirection is appended to @command, and the here-document it needs to @documents. */
static void
add_file (GString *command, GString *documents, const PvMount *file, int fd)
{
  gsize length;
  const char *data = g_bytes_get_data (file->data, &length);
  g_autofree char *delimiter = NULL;

  if (file->source != NULL)
    {
      g_autofree char *quoted = g_shell_quote (file->source);

      g_string_append_printf (command, " %d<%s", fd, quoted);
      return;
    }
  delimiter = choose_delimiter (data, length);
  g_string_append_printf (command, " %d<<'%s'", fd, delimiter);
  g_string_append_len (documents, data, (gssize) length);
  /* A here-document consists of lines: the last one gets its newline. */
  if (length > 0 && data[length - 1] != '\n')
    g_string_append_c (documents, '\n');
  g_string_append_printf (documents, "%s\n", delimiter);
}

/* What only this launcher knows (three files) comes first; where numbers run out, -1: the host's file
 * is mounted instead. */
static void
number_files (const GPtrArray *files, int *fds)
{
  int next = FIRST_FD;

  for (guint round = 0; round < 2; round++)
    {
      for (guint i = 0; i < files->len; i++)
        {
          const PvMount *file = g_ptr_array_index (files, i);

          if ((file->source != NULL) == (round == 1))
            fds[i] = next <= LAST_FD ? next++ : -1;
        }
    }
}

static void
add_words (GString *command, const GPtrArray *words)
{
  for (guint i = 0; i < words->len; i++)
    {
      const char *word = g_ptr_array_index (words, i);
      g_autofree char *quoted = g_shell_quote (word);
      gboolean is_option = g_str_has_prefix (word, "--");

      g_string_append (command, is_option ? " \\\n  " : " ");
      g_string_append (command, quoted);
    }
}

/* What the loader obeys is for the program, not for bubblewrap. */
static void
add_environment (GString *command, char **environment)
{
  gboolean first = TRUE;

  for (gsize i = 0; environment[i] != NULL; i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *quoted = NULL;

      if (!pv_environment_is_for_loader (environment[i]))
        continue;
      name = g_strndup (environment[i], strcspn (environment[i], "="));
      quoted = g_shell_quote (name);
      g_string_append_printf (command, "%s-u %s ", first ? "env " : "", quoted);
      first = FALSE;
    }
}

/**
 * pv_shell_command:
 * @plan: a plan
 * @bwrap: (type filename): bubblewrap
 * @environment: (array zero-terminated=1): of the caller
 * @program: (array zero-terminated=1): the program and its arguments
 * @on_tty: whether they are to run in the controlling terminal
 *
 * Returns: (transfer full): a command for sh(1) that makes the same container, without locks and
 *  supervision; files' contents are here-documents on numbered fds
 */
char *
pv_shell_command (const PvPlan *plan, const char *bwrap, char **environment, char **program,
                  gboolean on_tty)
{
  g_autoptr (GString) command = g_string_new ("");
  g_autoptr (GString) documents = g_string_new ("");
  g_autoptr (GPtrArray) files = pv_bwrap_list_files (plan);
  g_autoptr (GPtrArray) words = NULL;
  g_autofree int *fds = g_new0 (int, files->len + 1);
  g_autofree char *quoted_bwrap = g_shell_quote (bwrap);

  number_files (files, fds);

  add_environment (command, environment);
  g_string_append (command, quoted_bwrap);
  words = pv_bwrap_args (plan, PV_BWRAP_BY_PATH, fds);
  add_words (command, words);
  g_string_append (command, " \\\n  --");
  for (gsize i = 0; program[i] != NULL; i++)
    {
      g_autofree char *quoted = g_shell_quote (program[i]);

      g_string_append_printf (command, " %s", quoted);
    }

  if (on_tty)
    g_string_append (command, " </dev/tty >/dev/tty 2>/dev/tty");
  for (guint i = 0; i < files->len; i++)
    {
      if (fds[i] >= 0)
        add_file (command, documents, g_ptr_array_index (files, i), fds[i]);
    }
  g_string_append_c (command, '\n');
  g_string_append_len (command, documents->str, (gssize) documents->len);
  return g_string_free (g_steal_pointer (&command), FALSE);
}
