/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "child.h"
#include "fixture.h"

/**
 * PvMounted: a filesystem of a test's own.
 * @type: "tmpfs", or one that is in a file
 * @outside: the test's folder
 * @inside: the filesystem, which is mounted on `m` in it
 */
typedef struct
{
  const char *type;
  const PvFixture *outside;
  PvFixture *inside;
} PvMounted;

void pv_mounted_run (const PvFixture *fixture, const char *type, PvChildFunc func);
