/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "base/log.h"
#include "copy/copy.h"
#include "plan/interactive.h"
#include "plan/plan.h"

typedef enum
{
  PV_ACTION_RUN,
  PV_ACTION_DRY_RUN_TEXT,
  PV_ACTION_DRY_RUN_JSON,
  PV_ACTION_DRY_RUN_ARGV,
  PV_ACTION_ONLY_PREPARE,
  PV_ACTION_TEST,
  PV_ACTION_HELP,
  PV_ACTION_VERSION,
} PvAction;

typedef enum
{
  PV_REMOTE_WARN,
  PV_REMOTE_REFUSE,
  PV_REMOTE_ALLOW,
} PvRemotePolicy;

/**
 * PvOptions: what the user asked for.  Immutable.
 * @action: what to do
 * @runtime: (type filename): may be empty: the host
 * @runtime_base: (type filename) (nullable): where a relative @runtime is
 * @mutable_parent: (type filename) (nullable): where a mutable copy is made
 * @copy_strategy: how it is made
 * @keep_copy: whether it is left behind
 * @writable_copy: whether the program may write into it
 * @verify: whether to compare a runtime that was deployed with its manifest
 * @lock_timeout_ms: milliseconds
 * @lock_on_remote: what to do where a lock does not reach everybody
 * @shares: (element-type PvShareRequest): --filesystem
 * @home_kind: which home
 * @home: (type filename) (nullable): the private one
 * @share_pid, @share_net: whether these namespaces are the host's
 * @pass_fds: (element-type int): fds that the program gets; all of them are open
 * @status_fd: where to write what happens, or -1
 * @exit_with_parent: whether the program is to end with the caller
 * @terminate_ms: how long what the program leaves may take to end once it is asked to; 0: it is
 *  killed at once; negative: it is left alone
 * @terminate_idle_ms: how long it may stay before it is asked
 * @edits: (element-type PvEnvironmentEdit): --setenv and --unsetenv
 * @edits_if_host: (element-type PvEnvironmentEdit): --env-if-host
 * @log_level: how much to say
 * @terminal: what the program runs in
 * @wrapped: whether @program is more than was said: a shell around it
 * @program: (array zero-terminated=1): what is to be run
 * @printable: (element-type PvPlanOption): each option, its value and its source
 */
typedef struct
{
  PvAction action;
  char *runtime;
  char *runtime_base;
  char *mutable_parent;
  PvCopyStrategy copy_strategy;
  gboolean keep_copy;
  gboolean writable_copy;
  gboolean verify;
  int lock_timeout_ms;
  PvRemotePolicy lock_on_remote;
  GPtrArray *shares;
  PvHomeKind home_kind;
  char *home;
  gboolean share_pid;
  gboolean share_net;
  GArray *pass_fds;
  int status_fd;
  gboolean exit_with_parent;
  int terminate_ms;
  int terminate_idle_ms;
  GPtrArray *edits;
  GPtrArray *edits_if_host;
  PvLogLevel log_level;
  PvTerminal terminal;
  gboolean wrapped;
  char **program;
  GPtrArray *printable;
} PvOptions;

PvOptions *pv_options_parse (int argc, char **argv, char **environment, GError **error);
void pv_options_free (PvOptions *options);
gboolean pv_options_is_dry_run (const PvOptions *options);
char *pv_options_get_help (void);
GPtrArray *pv_options_get_edits (const PvOptions *options, gboolean is_host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvOptions, pv_options_free)
