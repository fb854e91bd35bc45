/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvOptionId: the things that can be said; several options can say one of them.
 */
typedef enum
{
  PV_OPTION_RUNTIME,
  PV_OPTION_RUNTIME_BASE,
  PV_OPTION_MUTABLE_PARENT,
  PV_OPTION_COPY_RUNTIME,
  PV_OPTION_VARIABLE_DIR,
  PV_OPTION_COPY_STRATEGY,
  PV_OPTION_WRITABLE_COPY,
  PV_OPTION_KEEP_COPY,
  PV_OPTION_VERIFY,
  PV_OPTION_LOCK_TIMEOUT,
  PV_OPTION_LOCK_ON_REMOTE,
  PV_OPTION_FILESYSTEM,
  PV_OPTION_HOME,
  PV_OPTION_SHARE_HOME,
  PV_OPTION_SHARE_PID,
  PV_OPTION_UNSHARE_NET,
  PV_OPTION_PASS_FD,
  PV_OPTION_STATUS_FD,
  PV_OPTION_EXIT_WITH_PARENT,
  PV_OPTION_TERMINATE_TIMEOUT,
  PV_OPTION_TERMINATE_IDLE_TIMEOUT,
  PV_OPTION_SETENV,
  PV_OPTION_UNSETENV,
  PV_OPTION_ENV_IF_HOST,
  PV_OPTION_SHELL,
  PV_OPTION_TERMINAL,
  PV_OPTION_BATCH,
  PV_OPTION_DRY_RUN,
  PV_OPTION_ONLY_PREPARE,
  PV_OPTION_TEST,
  PV_OPTION_VERBOSE,
  PV_OPTION_LOG_LEVEL,
  PV_OPTION_VERSION,
  PV_OPTION_HELP,
  PV_N_OPTIONS,
} PvOptionId;

/**
 * PvOptionGroup: options that settle one question together: what is said of one of them on the
 * command line, makes what the environment says of the others void.
 */
typedef enum
{
  PV_GROUP_NONE,
  PV_GROUP_HOME,
  PV_GROUP_COPY,
  PV_GROUP_LOG,
  PV_GROUP_ACTION,
} PvOptionGroup;

/**
 * PvOptionFlags:
 * @PV_OPTION_MANY: each occurrence adds to the list
 * @PV_OPTION_OPTIONAL_VALUE: `--name` alone means @implied
 * @PV_OPTION_NO_ENVIRONMENT: there is no variable for it
 */
typedef enum
{
  PV_OPTION_PLAIN = 0,
  PV_OPTION_MANY = 1 << 0,
  PV_OPTION_OPTIONAL_VALUE = 1 << 1,
  PV_OPTION_NO_ENVIRONMENT = 1 << 2,
} PvOptionFlags;

/**
 * PvOptionSpec: one option: a row of the table from which parsing, --help and the checks of the
 * manual and the completions are made.
 * @name: without the dashes
 * @id: what it says
 * @value: (nullable): what to call its value in the help; %NULL: it takes none
 * @implied: (nullable): the value if none is given
 * @flags: see there
 * @help: one line
 * @group: the options that it goes with
 */
typedef struct
{
  const char *name;
  PvOptionId id;
  const char *value;
  const char *implied;
  PvOptionFlags flags;
  const char *help;
  PvOptionGroup group;
} PvOptionSpec;

/**
 * PvOptionValue: what was said.
 * @values: (element-type utf8): the last one counts, unless it is a list; empty: nothing was said
 * @source: `argv`, the name of a variable, or `default`
 */
typedef struct
{
  GPtrArray *values;
  char *source;
} PvOptionValue;

extern const PvOptionSpec pv_option_table[];
extern const gsize pv_option_table_length;

const char *pv_option_get_name (PvOptionId id);
PvOptionValue *pv_option_values_parse (int argc, char **argv, char **environment,
                                       int *ret_first_word, GError **error);
void pv_option_values_free (PvOptionValue *values);
const char *pv_option_value_get (const PvOptionValue *values, PvOptionId id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvOptionValue, pv_option_values_free)
