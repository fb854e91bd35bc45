/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was said, as values that mean something. */
#include "options.h"

#include "base/error.h"
#include "option-values.h"
#include "plan/print.h"

#include <fcntl.h>
#include <string.h>

/* Seconds. */
#define DEFAULT_LOCK_TIMEOUT 30

static void
share_free (gpointer data)
{
  PvShareRequest *share = data;

  pv_host_path_free (share->path);
  g_free (share);
}

static void
printable_free (gpointer data)
{
  PvPlanOption *option = data;

  g_free (option->name);
  g_free (option->value);
  g_free (option->source);
  g_free (option);
}

void
pv_options_free (PvOptions *options)
{
  if (options == NULL)
    return;
  g_free (options->runtime);
  g_free (options->runtime_base);
  g_free (options->mutable_parent);
  g_free (options->home);
  g_strfreev (options->program);
  g_clear_pointer (&options->shares, g_ptr_array_unref);
  g_clear_pointer (&options->pass_fds, g_array_unref);
  g_clear_pointer (&options->edits, g_ptr_array_unref);
  g_clear_pointer (&options->edits_if_host, g_ptr_array_unref);
  g_clear_pointer (&options->printable, g_ptr_array_unref);
  g_free (options);
}

static gboolean
parse_lock_timeout (PvOptions *self, const PvOptionValue *values, GError **error)
{
  double seconds;

  if (!pv_option_get_seconds (values, PV_OPTION_LOCK_TIMEOUT, DEFAULT_LOCK_TIMEOUT, &seconds,
                              error))
    return FALSE;
  self->lock_timeout_ms = (int) (seconds * 1000);
  return TRUE;
}

static gboolean
parse_log_level (PvOptions *self, const PvOptionValue *values, GError **error)
{
  const char *text = pv_option_value_get (values, PV_OPTION_LOG_LEVEL);
  gboolean verbose;

  if (!pv_option_get_boolean (values, PV_OPTION_VERBOSE, FALSE, &verbose, error))
    return FALSE;
  self->log_level = verbose ? PV_LOG_INFO : PV_LOG_WARNING;
  if (text != NULL && !pv_log_level_from_string (text, &self->log_level))
    return pv_option_set_invalid (error, values, PV_OPTION_LOG_LEVEL, text,
                                  "it must be one of error, warning, info, debug");
  return TRUE;
}

static gboolean
parse_home (PvOptions *self, const PvOptionValue *values, GError **error)
{
  const char *home = pv_option_value_get (values, PV_OPTION_HOME);
  gboolean share;

  if (!pv_option_get_boolean (values, PV_OPTION_SHARE_HOME, TRUE, &share, error))
    return FALSE;
  self->home_kind = share ? PV_HOME_SHARED : PV_HOME_EMPTY;
  if (home == NULL)
    return TRUE;

  if (home[0] != '/')
    return pv_option_set_invalid (error, values, PV_OPTION_HOME, home,
                                  "it is not an absolute path");
  if (share && pv_option_value_get (values, PV_OPTION_SHARE_HOME) != NULL)
    return pv_option_set_invalid (error, values, PV_OPTION_HOME, home,
                                  "--share-home asks for the user's own");
  self->home_kind = PV_HOME_PRIVATE;
  self->home = g_strdup (home);
  return TRUE;
}

static gboolean
parse_filesystems (PvOptions *self, const PvOptionValue *values, GError **error)
{
  const GPtrArray *said = values[PV_OPTION_FILESYSTEM].values;

  for (guint i = 0; i < said->len; i++)
    {
      const char *text = g_ptr_array_index (said, i);
      gboolean read_only = g_str_has_suffix (text, ":ro");
      g_autofree char *path = g_strndup (text, strlen (text) - (read_only ? strlen (":ro") : 0));
      g_autoptr (GError) local_error = NULL;
      PvShareRequest *share;
      PvHostPath *host_path;

      if (path[0] != '/')
        return pv_option_set_invalid (error, values, PV_OPTION_FILESYSTEM, text,
                                      "it is not an absolute path");
      host_path = pv_host_path_open (path, &local_error);
      if (host_path == NULL)
        return pv_option_set_invalid (error, values, PV_OPTION_FILESYSTEM, text,
                                      local_error->message);
      share = g_new0 (PvShareRequest, 1);
      share->path = host_path;
      share->read_only = read_only;
      g_ptr_array_add (self->shares, share);
    }
  return TRUE;
}

static gboolean
parse_pass_fds (PvOptions *self, const PvOptionValue *values, GError **error)
{
  const GPtrArray *said = values[PV_OPTION_PASS_FD].values;

  for (guint i = 0; i < said->len; i++)
    {
      int fd = pv_option_parse_fd (values, PV_OPTION_PASS_FD, g_ptr_array_index (said, i), error);

      if (fd < 0)
        return FALSE;
      /* The standard ones are passed in any case. */
      if (fd > 2)
        g_array_append_val (self->pass_fds, fd);
    }
  return TRUE;
}

/* Two ways to say the same: ours, and pressure-vessel's. */
static gboolean
parse_copy (PvOptions *self, const PvOptionValue *values, GError **error)
{
  static const char *const strategies[] = {
    "auto", "overlay", "reflink", "hardlink", "copy", NULL
  };
  static const PvCopyStrategy kinds[] = {
    PV_COPY_AUTO, PV_COPY_OVERLAY, PV_COPY_REFLINK, PV_COPY_HARDLINK, PV_COPY_FULL,
  };
  static const PvOptionId of_copies[] = {
    PV_OPTION_COPY_STRATEGY, PV_OPTION_WRITABLE_COPY, PV_OPTION_KEEP_COPY, PV_OPTION_VERIFY,
  };
  const char *parent = pv_option_value_get (values, PV_OPTION_MUTABLE_PARENT);
  gboolean copy;
  guint strategy;

  if (!pv_option_get_boolean (values, PV_OPTION_COPY_RUNTIME, FALSE, &copy, error)
      || !pv_option_get_boolean (values, PV_OPTION_WRITABLE_COPY, FALSE, &self->writable_copy,
                                 error)
      || !pv_option_get_boolean (values, PV_OPTION_KEEP_COPY, FALSE, &self->keep_copy, error)
      || !pv_option_get_boolean (values, PV_OPTION_VERIFY, FALSE, &self->verify, error)
      || !pv_option_get_choice (values, PV_OPTION_COPY_STRATEGY, strategies, &strategy, error))
    return FALSE;
  if (parent == NULL && copy)
    {
      parent = pv_option_value_get (values, PV_OPTION_VARIABLE_DIR);
      if (parent == NULL)
        return pv_option_set_invalid (error, values, PV_OPTION_COPY_RUNTIME, "1",
                                      "there is no --variable-dir");
    }
  if (parent == NULL
      && !pv_option_refuse (values, of_copies, G_N_ELEMENTS (of_copies),
                            "there is no --runtime-mutable-parent", error))
    return FALSE;
  self->mutable_parent = g_strdup (parent);
  self->copy_strategy = kinds[strategy];
  if (self->writable_copy && self->copy_strategy == PV_COPY_HARDLINK)
    return pv_option_set_invalid (error, values, PV_OPTION_COPY_STRATEGY, "hardlink",
                                  "with --writable-copy the program would write into the runtime");
  return TRUE;
}

static gboolean
parse_status_fd (PvOptions *self, const PvOptionValue *values, GError **error)
{
  const char *text = pv_option_value_get (values, PV_OPTION_STATUS_FD);

  if (text == NULL)
    return TRUE;
  self->status_fd = pv_option_parse_fd (values, PV_OPTION_STATUS_FD, text, error);
  if (self->status_fd < 0)
    return FALSE;
  if ((fcntl (self->status_fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
    return TRUE;
  return pv_option_set_invalid (error, values, PV_OPTION_STATUS_FD, text,
                                "it is open for reading only");
}

/* 0 means something else than a little. */
static int
to_ms (double seconds)
{
  return (int) (seconds * 1000 + 0.999);
}

/* What becomes of the container when somebody has ended: the caller, or the program. */
static gboolean
parse_ends (PvOptions *self, const PvOptionValue *values, GError **error)
{
  double seconds, idle;

  if (!pv_option_get_boolean (values, PV_OPTION_EXIT_WITH_PARENT, FALSE, &self->exit_with_parent,
                              error)
      || !pv_option_get_seconds (values, PV_OPTION_TERMINATE_TIMEOUT, -1, &seconds, error)
      || !pv_option_get_seconds (values, PV_OPTION_TERMINATE_IDLE_TIMEOUT, 0, &idle, error))
    return FALSE;
  self->terminate_ms = seconds < 0 ? -1 : to_ms (seconds);
  self->terminate_idle_ms = to_ms (idle);
  return TRUE;
}

static gboolean
add_edits (GPtrArray *edits, const PvOptionValue *values, PvOptionId id, gboolean has_value,
           GError **error)
{
  for (guint i = 0; i < values[id].values->len; i++)
    {
      const char *text = g_ptr_array_index (values[id].values, i);
      const char *equals = strchr (text, '=');
      g_autofree char *name = NULL;

      if (has_value && (equals == NULL || equals == text))
        return pv_option_set_invalid (error, values, id, text, "it must have the form VAR=VALUE");
      if (!has_value && (equals != NULL || text[0] == '\0'))
        return pv_option_set_invalid (error, values, id, text, "it must be the name of a variable");
      name = has_value ? g_strndup (text, (gsize) (equals - text)) : g_strdup (text);
      pv_environment_edit (edits, name, has_value ? equals + 1 : NULL, "asked for");
    }
  return TRUE;
}

static gboolean
parse_edits (PvOptions *self, const PvOptionValue *values, GError **error)
{
  return add_edits (self->edits, values, PV_OPTION_UNSETENV, FALSE, error)
         && add_edits (self->edits, values, PV_OPTION_SETENV, TRUE, error)
         && add_edits (self->edits_if_host, values, PV_OPTION_ENV_IF_HOST, TRUE, error);
}

static gboolean
parse_action (PvOptions *self, const PvOptionValue *values, GError **error)
{
  static const char *const formats[] = { "text", "json", "argv", NULL };
  gboolean only_prepare, test;
  guint format;

  if (!pv_option_get_boolean (values, PV_OPTION_ONLY_PREPARE, FALSE, &only_prepare, error)
      || !pv_option_get_boolean (values, PV_OPTION_TEST, FALSE, &test, error)
      || !pv_option_get_choice (values, PV_OPTION_DRY_RUN, formats, &format, error))
    return FALSE;

  if (test && only_prepare)
    return pv_error_set (error, PV_ERROR_USAGE, "Cannot use --test with --only-prepare");
  if (pv_option_value_get (values, PV_OPTION_HELP) != NULL)
    self->action = PV_ACTION_HELP;
  else if (pv_option_value_get (values, PV_OPTION_VERSION) != NULL)
    self->action = PV_ACTION_VERSION;
  else if (pv_option_value_get (values, PV_OPTION_DRY_RUN) != NULL)
    self->action = PV_ACTION_DRY_RUN_TEXT + format;
  else if (only_prepare)
    self->action = PV_ACTION_ONLY_PREPARE;
  else if (test)
    self->action = PV_ACTION_TEST;
  return TRUE;
}

/* Who calls with --batch, or --test, can neither see a terminal nor answer in it. */
static gboolean
parse_interactive (PvOptions *self, const PvOptionValue *values, PvShell *ret_shell, GError **error)
{
  static const char *const shells[] = { "none", "after", "fail", "instead", NULL };
  static const char *const terminals[] = { "auto", "none", "tty", "xterm", NULL };
  static const PvTerminal meant[] = { PV_TERMINAL_NONE, PV_TERMINAL_NONE, PV_TERMINAL_TTY,
                                      PV_TERMINAL_XTERM };
  gboolean batch;
  guint shell, terminal;

  *ret_shell = PV_SHELL_NONE;
  if (!pv_option_get_choice (values, PV_OPTION_SHELL, shells, &shell, error)
      || !pv_option_get_choice (values, PV_OPTION_TERMINAL, terminals, &terminal, error)
      || !pv_option_get_boolean (values, PV_OPTION_BATCH, FALSE, &batch, error))
    return FALSE;
  if (batch || self->action == PV_ACTION_TEST)
    return TRUE;

  self->terminal = meant[terminal];
  if (shell != PV_SHELL_NONE && strcmp (terminals[terminal], "auto") == 0)
    self->terminal = PV_TERMINAL_XTERM;
  if (shell != PV_SHELL_NONE && self->terminal == PV_TERMINAL_NONE)
    return pv_option_set_invalid (error, values, PV_OPTION_SHELL, shells[shell],
                                  "it needs a terminal, and there is --terminal=none");
  *ret_shell = (PvShell) shell;
  self->wrapped = shell != PV_SHELL_NONE || self->terminal == PV_TERMINAL_XTERM;
  return TRUE;
}

static gboolean
parse_values (PvOptions *self, const PvOptionValue *values, GError **error)
{
  static const char *const policies[] = { "warn", "refuse", "allow", NULL };
  const char *runtime = pv_option_value_get (values, PV_OPTION_RUNTIME);
  gboolean unshare_net;
  guint policy;

  self->runtime = g_strdup (runtime != NULL ? runtime : "");
  self->runtime_base = g_strdup (pv_option_value_get (values, PV_OPTION_RUNTIME_BASE));
  if (!pv_option_get_choice (values, PV_OPTION_LOCK_ON_REMOTE, policies, &policy, error)
      || !pv_option_get_boolean (values, PV_OPTION_SHARE_PID, TRUE, &self->share_pid, error)
      || !pv_option_get_boolean (values, PV_OPTION_UNSHARE_NET, FALSE, &unshare_net, error))
    return FALSE;
  self->lock_on_remote = (PvRemotePolicy) policy;
  self->share_net = !unshare_net;
  /* File descriptors come first: nothing of ours must be open when they are checked. */
  return parse_pass_fds (self, values, error) && parse_status_fd (self, values, error)
         && parse_copy (self, values, error) && parse_ends (self, values, error)
         && parse_lock_timeout (self, values, error) && parse_log_level (self, values, error)
         && parse_home (self, values, error) && parse_filesystems (self, values, error)
         && parse_edits (self, values, error);
}

static void
list_printable (PvOptions *self, const PvOptionValue *values)
{
  for (guint id = 0; id < PV_N_OPTIONS; id++)
    {
      const GPtrArray *said = values[id].values;

      for (guint i = 0; i < MAX (said->len, 1); i++)
        {
          PvPlanOption *option = g_new0 (PvPlanOption, 1);

          option->name = g_strdup (pv_option_get_name ((PvOptionId) id));
          option->value = g_strdup (said->len > 0 ? g_ptr_array_index (said, i) : "");
          option->source = g_strdup (said->len > 0 ? values[id].source : "default");
          g_ptr_array_add (self->printable, option);
        }
    }
}

static gboolean
needs_program (PvAction action)
{
  return action != PV_ACTION_HELP && action != PV_ACTION_VERSION && action != PV_ACTION_TEST;
}

/* --test runs the supervisor once more as the program: it is there in every container. */
static char **
get_program (const PvOptions *self, char **words, PvShell shell)
{
  static const char *const nothing[] = { "/proc/self/exe", "--nothing", NULL };

  return pv_interactive_wrap (self->action == PV_ACTION_TEST ? (char **) nothing : words, shell,
                              self->terminal);
}

/**
 * pv_options_parse:
 * @argc, @argv: of the program
 * @environment: (array zero-terminated=1): of the caller
 *
 * Returns: (transfer full): what was asked for, or %NULL with @error set
 */
PvOptions *
pv_options_parse (int argc, char **argv, char **environment, GError **error)
{
  g_autoptr (PvOptions) self = g_new0 (PvOptions, 1);
  g_autoptr (PvOptionValue) values = NULL;
  PvShell shell;
  int first_word;

  self->status_fd = -1;
  self->shares = g_ptr_array_new_with_free_func (share_free);
  self->pass_fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->edits = pv_environment_edits_new ();
  self->edits_if_host = pv_environment_edits_new ();
  self->printable = g_ptr_array_new_with_free_func (printable_free);

  values = pv_option_values_parse (argc, argv, environment, &first_word, error);
  if (values == NULL || !parse_action (self, values, error))
    return NULL;
  if (self->action == PV_ACTION_TEST && first_word < argc)
    {
      pv_error_set (error, PV_ERROR_USAGE, "Cannot run \"%s\" with --test: it runs nothing",
                    argv[first_word]);
      return NULL;
    }
  if (needs_program (self->action) && first_word == argc)
    {
      pv_error_set (error, PV_ERROR_USAGE, "Cannot run: no COMMAND given");
      pv_error_hint (error, "pv-launch [OPTIONS] [--] COMMAND [ARG…]");
      return NULL;
    }
  if (self->action == PV_ACTION_HELP || self->action == PV_ACTION_VERSION)
    return g_steal_pointer (&self);

  if (!parse_values (self, values, error) || !parse_interactive (self, values, &shell, error))
    return NULL;
  self->program = get_program (self, argv + first_word, shell);
  list_printable (self, values);
  return g_steal_pointer (&self);
}

/**
 * pv_options_get_edits:
 * @is_host: whether the program runs with the host's own `/usr`
 *
 * Returns: (transfer full) (element-type PvEnvironmentEdit): what the user changes in the
 *  environment
 */
GPtrArray *
pv_options_get_edits (const PvOptions *options, gboolean is_host)
{
  GPtrArray *edits = pv_environment_edits_new ();
  const GPtrArray *lists[] = { options->edits_if_host, options->edits };

  for (gsize list = is_host ? 0 : 1; list < G_N_ELEMENTS (lists); list++)
    {
      for (guint i = 0; i < lists[list]->len; i++)
        {
          const PvEnvironmentEdit *edit = g_ptr_array_index (lists[list], i);

          pv_environment_edit (edits, edit->name, edit->value, edit->reason);
        }
    }
  return edits;
}

/**
 * pv_options_is_dry_run:
 *
 * Returns: whether the plan is only to be printed
 */
gboolean
pv_options_is_dry_run (const PvOptions *options)
{
  return options->action == PV_ACTION_DRY_RUN_TEXT || options->action == PV_ACTION_DRY_RUN_JSON
         || options->action == PV_ACTION_DRY_RUN_ARGV;
}

/**
 * pv_options_get_help:
 *
 * Returns: (transfer full): the text of `--help`, at most 80 columns wide
 */
char *
pv_options_get_help (void)
{
  g_autoptr (GString) text =
      g_string_new ("Usage: pv-launch [OPTIONS] [--] COMMAND [ARG…]\n"
                    "Runs a program in a runtime, and keeps the runtime in place while it runs.\n"
                    "\n"
                    "Options:\n");

  for (gsize i = 0; i < pv_option_table_length; i++)
    {
      const PvOptionSpec *spec = &pv_option_table[i];
      gboolean optional = (spec->flags & PV_OPTION_OPTIONAL_VALUE) != 0;
      g_autofree char *option = spec->value == NULL
                                    ? g_strconcat ("--", spec->name, NULL)
                                    : g_strconcat ("--", spec->name, optional ? "[=" : "=",
                                                   spec->value, optional ? "]" : "", NULL);

      if (strlen (option) > 22)
        g_string_append_printf (text, "  %s\n  %-22s  %s\n", option, "", spec->help);
      else
        g_string_append_printf (text, "  %-22s  %s\n", option, spec->help);
    }
  g_string_append (text, "\n"
                         "Each has a variable, such as PV_LAUNCH_RUNTIME_BASE; options win.\n"
                         "The exit status is the program's; 125: the launcher failed.\n"
                         "pv-launch(1) has the details.  pvctl manages runtimes.\n");
  return g_string_free (g_steal_pointer (&text), FALSE);
}
