/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan/plan.h"

/**
 * PvFake: a host and a runtime that are not there; everything in them is text.
 * @input: what a plan is made from; a test changes what it is about
 */
typedef struct
{
  PvHost host;
  PvIdentity identity;
  PvRuntime runtime;
  PvRuntimeContents contents;
  PvPlanInput input;
} PvFake;

void pv_fake_init (PvFake *fake, PvLayout layout);
void pv_fake_clear (PvFake *fake);
PvHostPath *pv_fake_path (const char *asked, const char *real, int fd, const char *const *links);
void pv_fake_share (PvFake *fake, const char *asked, const char *real, gboolean read_only);
void pv_fake_entry (GPtrArray *entries, const char *text);
void pv_fake_file (PvFake *fake, const char *name, const char *data);
