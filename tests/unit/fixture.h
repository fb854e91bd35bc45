/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * PvFixture: what a test has for itself: an empty folder, which goes away afterwards whatever the
 * test has done to it, and a check that the test has left the open fds as they were.
 * @path: (type filename): of the folder, absolute
 * @dir_fd: the folder
 * @fds: (element-type filename filename): what was open before
 *
 *     pv_fixture_add ("/store/list", test_list);
 */
typedef struct
{
  char *path;
  int dir_fd;
  GHashTable *fds;
} PvFixture;

typedef void (*PvFixtureTest) (PvFixture *fixture, gconstpointer data);

void pv_fixture_set_up (PvFixture *fixture, gconstpointer data);
void pv_fixture_tear_down (PvFixture *fixture, gconstpointer data);
void pv_fixture_add (const char *name, PvFixtureTest test);

char *pv_fixture_path (const PvFixture *fixture, const char *name);
void pv_fixture_write (const PvFixture *fixture, const char *name, const char *text);
void pv_fixture_make (const PvFixture *fixture, const char *const *entries);
gboolean pv_fixture_exists (const PvFixture *fixture, const char *name);
