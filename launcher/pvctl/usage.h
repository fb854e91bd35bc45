/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Exit statuses of everything that manages; env(1)'s but for the first. */
#define PVCTL_EXIT_USAGE 2
#define PVCTL_EXIT_FAILED 125

/* What pvctl_usage_parse() returns if there is something to do. */
#define PVCTL_GO_ON (-1)

/**
 * PvctlTask: a word of the command line, and what it does.
 * @name: the word; %NULL ends a table
 * @summary: one line for `--help`
 * @run: gets the word as `argv[0]`; returns the exit status
 */
typedef struct
{
  const char *name;
  const char *summary;
  int (*run) (int argc, char **argv);
} PvctlTask;

/**
 * PvctlUsage: how one task is called.
 * @name: all words up to it, such as `pvctl runtime list`
 * @arguments: (nullable): what follows the options, for `--help`
 * @summary: one line
 * @options: the table from which options are parsed and `--help` is printed; ends with a %NULL
 * @min_args: how many arguments there must be
 * @max_args: how many there may be
 */
typedef struct
{
  const char *name;
  const char *arguments;
  const char *summary;
  const GOptionEntry *options;
  int min_args;
  int max_args;
} PvctlUsage;

int pvctl_usage_parse (const PvctlUsage *usage, int *argc, char ***argv);
int pvctl_usage_dispatch (const char *name, const PvctlTask *tasks, int argc, char **argv);
int pvctl_usage_fail (const char *name, const char *format, ...) G_GNUC_PRINTF (2, 3);
int pvctl_usage_report (const GError *error);
