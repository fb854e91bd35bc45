/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "usage.h"
#include "base/error.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * pvctl_usage_report:
 * @error: why a task failed
 *
 * Writes the error to standard error.
 *
 * Returns: the exit status for it
 */
int
pvctl_usage_report (const GError *error)
{
  pv_log_error (error);
  return g_error_matches (error, PV_ERROR, PV_ERROR_USAGE) ? PVCTL_EXIT_USAGE : PVCTL_EXIT_FAILED;
}

/**
 * pvctl_usage_fail:
 * @name: all words up to the task
 * @format: what is wrong with the command line
 *
 * Returns: the exit status
 */
int
pvctl_usage_fail (const char *name, const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  pv_error_set (&error, PV_ERROR_USAGE, "%s", text);
  pv_error_hint (&error, "see \"%s --help\"", name);
  return pvctl_usage_report (error);
}

/* Output that nobody got is a failure: the disk may be full. */
static int
print (const char *text)
{
  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return EXIT_SUCCESS;
  pv_log (PV_LOG_ERROR, "Cannot write to standard output");
  return PVCTL_EXIT_FAILED;
}

/**
 * pvctl_usage_parse:
 * @usage: how the task is called
 * @argc: (inout): without the options afterwards
 * @argv: (inout) (array length=argc): without the options afterwards; `argv[0]` stays
 *
 * Parses the command line, and answers `--help`.
 *
 * Returns: %PVCTL_GO_ON, or the exit status
 */
int
pvctl_usage_parse (const PvctlUsage *usage, int *argc, char ***argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (usage->arguments);
  g_autoptr (GError) error = NULL;
  gboolean help = FALSE;
  const GOptionEntry help_entry[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL },
    { NULL },
  };

  g_set_prgname (usage->name);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, usage->summary);
  g_option_context_add_main_entries (context, usage->options, NULL);
  g_option_context_add_main_entries (context, help_entry, NULL);

  if (!g_option_context_parse (context, argc, argv, &error))
    return pvctl_usage_fail (usage->name, "%s", error->message);
  if (help)
    {
      g_autofree char *text = g_option_context_get_help (context, TRUE, NULL);

      return print (text);
    }
  /* GOption leaves a "--" between options and arguments in place. */
  if (*argc > 1 && strcmp ((*argv)[1], "--") == 0)
    {
      (*argv)[1] = (*argv)[0];
      (*argv)++;
      (*argc)--;
    }
  if (*argc - 1 < usage->min_args)
    return pvctl_usage_fail (usage->name, "Missing argument: %s", usage->arguments);
  if (*argc - 1 > usage->max_args)
    return pvctl_usage_fail (usage->name, "Unexpected argument \"%s\"",
                             (*argv)[usage->max_args + 1]);
  return PVCTL_GO_ON;
}

static char *
format_tasks (const char *name, const PvctlTask *tasks)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "Usage:\n  %s TASK [OPTION…] [ARGUMENT…]\n\nTasks:\n", name);
  for (; tasks->name != NULL; tasks++)
    g_string_append_printf (text, "  %-12s %s\n", tasks->name, tasks->summary);
  g_string_append_printf (text, "\n\"%s TASK --help\" says more about each.\n", name);
  return g_string_free (text, FALSE);
}

/**
 * pvctl_usage_dispatch:
 * @name: all words so far
 * @tasks: (array zero-terminated=1): the words that may follow
 * @argc: length of @argv
 * @argv: (array length=argc): from the last word of @name on
 *
 * Returns: the exit status
 */
int
pvctl_usage_dispatch (const char *name, const PvctlTask *tasks, int argc, char **argv)
{
  if (argc < 2)
    return pvctl_usage_fail (name, "Missing task");
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0)
    {
      g_autofree char *text = format_tasks (name, tasks);

      return print (text);
    }
  for (; tasks->name != NULL; tasks++)
    {
      if (strcmp (tasks->name, argv[1]) == 0)
        return tasks->run (argc - 1, argv + 1);
    }
  return pvctl_usage_fail (name, "Unknown %s \"%s\"", argv[1][0] == '-' ? "option" : "task",
                           argv[1]);
}
