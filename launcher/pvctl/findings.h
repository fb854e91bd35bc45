/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvctlState: how bad it is.
 * @PVCTL_OK: as it should be
 * @PVCTL_NOTE: something works otherwise, or slower, than it could
 * @PVCTL_BAD: something must be mended
 */
typedef enum
{
  PVCTL_OK,
  PVCTL_NOTE,
  PVCTL_BAD,
} PvctlState;

/**
 * PvctlFinding: what was found about this machine.
 * @name: (transfer none): what was looked at: a word for programs
 * @text: one line
 * @remedy: (nullable): what to do
 */
typedef struct
{
  const char *name;
  PvctlState state;
  char *text;
  char *remedy;
} PvctlFinding;

GPtrArray *pvctl_findings_new (void);
void pvctl_findings_add (GPtrArray *findings, const char *name, PvctlState state,
                         const char *remedy, const char *format, ...) G_GNUC_PRINTF (5, 6);
void pvctl_findings_add_error (GPtrArray *findings, const char *name, PvctlState state,
                               const GError *error);

void pvctl_find_bwrap (GPtrArray *findings, char **environment);
void pvctl_find_kernel (GPtrArray *findings);
void pvctl_find_places (GPtrArray *findings, char **environment);
