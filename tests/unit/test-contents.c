/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/dir.h"
#include "base/fd.h"
#include "fixture.h"
#include "runtime/contents.h"

#include <fcntl.h>

static PvRuntimeContents *
read_contents (const PvFixture *fixture, const char *folder, PvLayout layout, const char *zone)
{
  PvRuntime runtime = { .layout = layout };
  g_autoptr (GError) error = NULL;
  PvRuntimeContents *contents;

  runtime.fd = openat (fixture->dir_fd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  contents = pv_runtime_contents_read (&runtime, zone, &error);
  pv_fd_clear (&runtime.fd);
  g_assert_no_error (error);
  return contents;
}

static void
test_usr (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = {
    "r/bin/bash",  "r/lib64>lib", "r/etc/fonts/", "r/etc/os-release>../usr/lib/os-release",
    "r/var/lib/a/", "r/var/cache/b", "r/share/zoneinfo/Europe/Berlin", NULL,
  };
  g_autoptr (PvRuntimeContents) contents = NULL;

  pv_fixture_make (fixture, made);
  contents = read_contents (fixture, "r", PV_LAYOUT_USR, "Europe/Berlin");
  g_assert_cmpuint (contents->top->len, ==, 5);
  g_assert_cmpstr (((PvEntry *) contents->top->pdata[2])->target, ==, "lib");
  g_assert_cmpuint (contents->etc->len, ==, 2);
  g_assert_cmpstr (((PvEntry *) contents->etc->pdata[1])->target, ==, "../usr/lib/os-release");
  g_assert_cmpuint (contents->var->len, ==, 2);
  g_assert_cmpstr (contents->var->pdata[0], ==, "var/lib/a");
  g_assert_cmpstr (contents->var->pdata[1], ==, "var/cache/b");
  g_assert_true (contents->has_zone);
  g_assert_cmpstr (contents->shell, ==, "/bin/bash");
}

/* A root has its zones in usr/; and no link in it leads out to the host's. */
static void
test_root (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = {
    "r/usr/share/zoneinfo/UTC", "r/etc>/etc", "r/bin>/../../../bin", NULL,
  };
  g_autoptr (PvRuntimeContents) contents = NULL;
  g_autoptr (PvRuntimeContents) without = NULL;

  pv_fixture_make (fixture, made);
  contents = read_contents (fixture, "r", PV_LAYOUT_ROOT, "UTC");
  g_assert_true (contents->has_zone);
  g_assert_cmpuint (contents->etc->len, ==, 0);
  g_assert_cmpuint (contents->var->len, ==, 0);
  g_assert_cmpstr (contents->shell, ==, "/bin/sh");
  without = read_contents (fixture, "r", PV_LAYOUT_ROOT, NULL);
  g_assert_false (without->has_zone);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/contents/usr", test_usr);
  pv_fixture_add ("/contents/root", test_root);
  return g_test_run ();
}
