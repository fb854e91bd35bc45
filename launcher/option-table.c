/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be said, on the command line and in the environment, as text. */
#include "option-table.h"

#include "base/error.h"

#include <getopt.h>
#include <string.h>

/* What getopt_long(3) returns for the first row; characters are its own. */
#define FIRST_ROW 256

const PvOptionSpec pv_option_table[] = {
  { "runtime", PV_OPTION_RUNTIME, "PATH", NULL, PV_OPTION_PLAIN,
    "run in this runtime; empty: the host's /usr [default]" },
  { "runtime-base", PV_OPTION_RUNTIME_BASE, "DIR", NULL, PV_OPTION_PLAIN,
    "where a relative --runtime is; else here, then store" },
  { "runtime-mutable-parent", PV_OPTION_MUTABLE_PARENT, "DIR", NULL, PV_OPTION_PLAIN,
    "run from a mutable copy of the runtime in DIR", PV_GROUP_COPY },
  { "copy-runtime", PV_OPTION_COPY_RUNTIME, NULL, "1", PV_OPTION_PLAIN,
    "the same, in --variable-dir", PV_GROUP_COPY },
  { "variable-dir", PV_OPTION_VARIABLE_DIR, "DIR", NULL, PV_OPTION_PLAIN,
    "where --copy-runtime makes its copies" },
  { "copy-strategy", PV_OPTION_COPY_STRATEGY, "STRATEGY", NULL, PV_OPTION_PLAIN,
    "overlay, reflink, hardlink, copy [default: auto]" },
  { "writable-copy", PV_OPTION_WRITABLE_COPY, NULL, "1", PV_OPTION_PLAIN,
    "let the program write into the copy" },
  { "keep-copy", PV_OPTION_KEEP_COPY, NULL, "1", PV_OPTION_PLAIN,
    "leave the copy behind" },
  { "verify", PV_OPTION_VERIFY, NULL, "1", PV_OPTION_PLAIN,
    "compare a deployed runtime with its manifest first" },
  { "lock-timeout", PV_OPTION_LOCK_TIMEOUT, "SECONDS", NULL, PV_OPTION_PLAIN,
    "wait so long for a lock; 0: not at all [default: 30]" },
  { "lock-on-remote", PV_OPTION_LOCK_ON_REMOTE, "refuse|warn|allow", NULL, PV_OPTION_PLAIN,
    "if the lock file is on NFS, FUSE, … [default: warn]" },
  { "filesystem", PV_OPTION_FILESYSTEM, "PATH[:ro]", NULL, PV_OPTION_MANY,
    "share a path of the host" },
  { "home", PV_OPTION_HOME, "DIR", NULL, PV_OPTION_PLAIN,
    "use DIR as the home folder", PV_GROUP_HOME },
  { "share-home", PV_OPTION_SHARE_HOME, NULL, "1", PV_OPTION_PLAIN,
    "share the home folder [default]", PV_GROUP_HOME },
  { "unshare-home", PV_OPTION_SHARE_HOME, NULL, "0", PV_OPTION_PLAIN,
    "an empty home folder that is gone afterwards", PV_GROUP_HOME },
  { "share-pid", PV_OPTION_SHARE_PID, NULL, "1", PV_OPTION_PLAIN,
    "share the PID namespace, as Steam needs it [default]" },
  { "unshare-pid", PV_OPTION_SHARE_PID, NULL, "0", PV_OPTION_PLAIN,
    "a PID namespace of its own" },
  { "unshare-net", PV_OPTION_UNSHARE_NET, NULL, "1", PV_OPTION_PLAIN,
    "no network but a loopback device" },
  { "pass-fd", PV_OPTION_PASS_FD, "N", NULL, PV_OPTION_MANY,
    "pass an inherited file descriptor to the program" },
  { "status-fd", PV_OPTION_STATUS_FD, "N", NULL, PV_OPTION_PLAIN,
    "write there what happens, as lines of JSON" },
  { "exit-with-parent", PV_OPTION_EXIT_WITH_PARENT, NULL, "1", PV_OPTION_PLAIN,
    "ask the program to end when the caller has ended" },
  { "terminate-timeout", PV_OPTION_TERMINATE_TIMEOUT, "SECONDS", NULL, PV_OPTION_PLAIN,
    "end what the program leaves; kill it after this time" },
  { "terminate-idle-timeout", PV_OPTION_TERMINATE_IDLE_TIMEOUT, "SECONDS", NULL, PV_OPTION_PLAIN,
    "wait so long before that [default: 0]" },
  { "setenv", PV_OPTION_SETENV, "VAR=VALUE", NULL, PV_OPTION_MANY,
    "set a variable for the program" },
  { "unsetenv", PV_OPTION_UNSETENV, "VAR", NULL, PV_OPTION_MANY,
    "unset a variable for the program" },
  { "env-if-host", PV_OPTION_ENV_IF_HOST, "VAR=VALUE", NULL, PV_OPTION_MANY,
    "set a variable if the host's own /usr is used" },
  { "shell", PV_OPTION_SHELL, "none|after|fail|instead", NULL, PV_OPTION_PLAIN,
    "an interactive shell, and when [default: none]" },
  { "terminal", PV_OPTION_TERMINAL, "none|auto|tty|xterm", NULL, PV_OPTION_PLAIN,
    "where; auto: xterm for a shell, else none [default]" },
  { "batch", PV_OPTION_BATCH, NULL, "1", PV_OPTION_PLAIN,
    "neither shell nor terminal, whatever else is said" },
  { "dry-run", PV_OPTION_DRY_RUN, "text|json|argv", "text", PV_OPTION_OPTIONAL_VALUE,
    "only say what would be done, and why", PV_GROUP_ACTION },
  { "only-prepare", PV_OPTION_ONLY_PREPARE, NULL, "1", PV_OPTION_PLAIN,
    "do everything but run the program", PV_GROUP_ACTION },
  { "test", PV_OPTION_TEST, NULL, "1", PV_OPTION_PLAIN,
    "check that a container can be started; no COMMAND", PV_GROUP_ACTION },
  { "verbose", PV_OPTION_VERBOSE, NULL, "1", PV_OPTION_PLAIN,
    "say more; the same as --log-level=info", PV_GROUP_LOG },
  { "log-level", PV_OPTION_LOG_LEVEL, "LEVEL", NULL, PV_OPTION_PLAIN,
    "error, warning, info or debug [default: warning]", PV_GROUP_LOG },
  { "version", PV_OPTION_VERSION, NULL, "1", PV_OPTION_NO_ENVIRONMENT, "print the version" },
  { "help", PV_OPTION_HELP, NULL, "1", PV_OPTION_NO_ENVIRONMENT, "print this help" },
};

const gsize pv_option_table_length = G_N_ELEMENTS (pv_option_table);

/**
 * pv_option_get_name:
 *
 * Returns: (transfer none): the first option that says @id, without the dashes
 */
const char *
pv_option_get_name (PvOptionId id)
{
  for (gsize i = 0; i < pv_option_table_length; i++)
    {
      if (pv_option_table[i].id == id)
        return pv_option_table[i].name;
    }
  g_return_val_if_reached (NULL);
}

/**
 * pv_option_value_get:
 *
 * Returns: (transfer none) (nullable): what was said last, if anything was
 */
const char *
pv_option_value_get (const PvOptionValue *values, PvOptionId id)
{
  const GPtrArray *said = values[id].values;

  return said->len > 0 ? g_ptr_array_index (said, said->len - 1) : NULL;
}

void
pv_option_values_free (PvOptionValue *values)
{
  if (values == NULL)
    return;
  for (gsize i = 0; i < PV_N_OPTIONS; i++)
    {
      g_ptr_array_unref (values[i].values);
      g_free (values[i].source);
    }
  g_free (values);
}

static void
set_source (PvOptionValue *value, const char *source)
{
  g_free (value->source);
  value->source = g_strdup (source);
}

/* A list in a variable: one item a line; paths also with colons, as ":ro" begins with no slash. */
static void
add_list (PvOptionValue *value, PvOptionId id, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (gsize i = 0; lines[i] != NULL; i++)
    {
      const char *item = lines[i];
      const char *next;

      while (id == PV_OPTION_FILESYSTEM && (next = strstr (item, ":/")) != NULL)
        {
          g_ptr_array_add (value->values, g_strndup (item, (gsize) (next - item)));
          item = next + 1;
        }
      if (item[0] != '\0')
        g_ptr_array_add (value->values, g_strdup (item));
    }
}

static void
read_variable (PvOptionValue *value, const PvOptionSpec *spec, const char *prefix,
               char **environment)
{
  g_autofree char *upper = g_ascii_strup (spec->name, -1);
  g_autofree char *name = g_strconcat (prefix, g_strdelimit (upper, "-", '_'), NULL);
  const char *text = g_environ_getenv (environment, name);

  if (text == NULL || text[0] == '\0')
    return;
  if (spec->flags & PV_OPTION_MANY)
    add_list (value, spec->id, text);
  else if (g_strcmp0 (spec->implied, "0") == 0
           && (strcmp (text, "0") == 0 || strcmp (text, "1") == 0))
    g_ptr_array_add (value->values, g_strdup (text[0] == '1' ? "0" : "1"));
  else
    g_ptr_array_add (value->values, g_strdup (text));
  set_source (value, name);
}

/* Whether one of the options that settle the same question has been said. */
static gboolean
is_settled (const PvOptionValue *values, const PvOptionSpec *spec)
{
  for (gsize i = 0; spec->group != PV_GROUP_NONE && i < pv_option_table_length; i++)
    {
      if (pv_option_table[i].group == spec->group
          && values[pv_option_table[i].id].source != NULL)
        return TRUE;
    }
  return values[spec->id].source != NULL;
}

/* Our own names first; for a question that none of them settles, those that pressure-vessel has. */
static void
read_environment (PvOptionValue *values, char **environment)
{
  g_autofree gboolean *settled = g_new0 (gboolean, pv_option_table_length);

  for (gsize i = 0; i < pv_option_table_length; i++)
    {
      if (!(pv_option_table[i].flags & PV_OPTION_NO_ENVIRONMENT))
        read_variable (&values[pv_option_table[i].id], &pv_option_table[i], "PV_LAUNCH_",
                       environment);
    }
  for (gsize i = 0; i < pv_option_table_length; i++)
    settled[i] = is_settled (values, &pv_option_table[i]);
  for (gsize i = 0; i < pv_option_table_length; i++)
    {
      if (!(pv_option_table[i].flags & PV_OPTION_NO_ENVIRONMENT) && !settled[i])
        read_variable (&values[pv_option_table[i].id], &pv_option_table[i], "PRESSURE_VESSEL_",
                       environment);
    }
}

static struct option *
make_getopt_table (void)
{
  struct option *table = g_new0 (struct option, pv_option_table_length + 1);

  for (gsize i = 0; i < pv_option_table_length; i++)
    {
      const PvOptionSpec *spec = &pv_option_table[i];

      table[i].name = spec->name;
      table[i].val = FIRST_ROW + (int) i;
      if (spec->flags & PV_OPTION_OPTIONAL_VALUE)
        table[i].has_arg = optional_argument;
      else
        table[i].has_arg = spec->value != NULL ? required_argument : no_argument;
    }
  return table;
}

/* How many options begin like @word, which may have a value. */
static guint
count_matches (const char *word)
{
  gsize length = strcspn (word, "=");
  guint count = 0;

  if (length <= strlen ("--") || word[1] != '-')
    return 0;
  for (gsize i = 0; i < pv_option_table_length; i++)
    count += strncmp (pv_option_table[i].name, word + 2, length - 2) == 0 ? 1 : 0;
  return count;
}

static gboolean
set_usage_error (GError **error, int what, const char *word)
{
  guint matches = count_matches (word);
  const char *reason = "there is no such option";

  if (what == ':')
    reason = "it needs a value";
  else if (matches == 1)
    reason = "it takes no value";
  else if (matches > 1)
    reason = "it is ambiguous";
  pv_error_set (error, PV_ERROR_USAGE, "Cannot use option \"%s\": %s", word, reason);
  return pv_error_hint (error, "pv-launch --help lists the options; a program's own options come "
                        "after its name");
}

/* What is said on the command line makes void what the environment says of the same question. */
static void
drop_group (PvOptionValue *values, PvOptionGroup group)
{
  for (gsize i = 0; group != PV_GROUP_NONE && i < pv_option_table_length; i++)
    {
      PvOptionValue *value = &values[pv_option_table[i].id];

      if (pv_option_table[i].group != group || g_strcmp0 (value->source, "argv") == 0)
        continue;
      g_ptr_array_set_size (value->values, 0);
      g_clear_pointer (&value->source, g_free);
    }
}

/* What is said on the command line replaces what the environment says, but adds to a list. */
static void
add_argument (PvOptionValue *values, const PvOptionSpec *spec, const char *text)
{
  PvOptionValue *value = &values[spec->id];

  drop_group (values, spec->group);
  g_ptr_array_add (value->values, g_strdup (text != NULL ? text : spec->implied));
  if ((spec->flags & PV_OPTION_MANY) && value->source != NULL
      && strcmp (value->source, "argv") != 0 && strstr (value->source, " and argv") == NULL)
    {
      g_autofree char *both = g_strconcat (value->source, " and argv", NULL);

      set_source (value, both);
    }
  else if (!(spec->flags & PV_OPTION_MANY) || value->source == NULL)
    {
      set_source (value, "argv");
    }
}

/**
 * pv_option_values_parse:
 * @argc, @argv: of the program
 * @environment: (array zero-terminated=1): of the caller
 * @ret_first_word: (out): the index of the first word in @argv that is no option
 *
 * Returns: (transfer full): an array of %PV_N_OPTIONS, or %NULL with @error set
 */
PvOptionValue *
pv_option_values_parse (int argc, char **argv, char **environment, int *ret_first_word,
                        GError **error)
{
  g_autoptr (PvOptionValue) values = g_new0 (PvOptionValue, PV_N_OPTIONS);
  g_autofree struct option *table = make_getopt_table ();
  int index;

  for (gsize i = 0; i < PV_N_OPTIONS; i++)
    values[i].values = g_ptr_array_new_with_free_func (g_free);
  read_environment (values, environment);

  opterr = 0;
  optind = 0; /* glibc: start anew, whatever was parsed before */
  while ((index = getopt_long (argc, argv, "+:", table, NULL)) >= 0)
    {
      if (index == '?' || index == ':')
        {
          set_usage_error (error, index, argv[optind - 1]);
          return NULL;
        }
      add_argument (values, &pv_option_table[index - FIRST_ROW], optarg);
    }
  *ret_first_word = optind;
  return g_steal_pointer (&values);
}
