/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/visibility.h"

#include <string.h>

static GPtrArray *
make_mounts (void)
{
  GPtrArray *mounts = pv_mounts_new ();

  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/runtime/files", -1, NULL, "/usr", "runtime");
  pv_mounts_bind (mounts, PV_MOUNT_BIND, "/home/u", -1, NULL, "/home/u", "home");
  pv_mounts_make (mounts, PV_MOUNT_TMPFS, "/home/u/hidden", 0, "hidden");
  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/data", -1, NULL, "/home/u/hidden/data", "data");
  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/etc", -1, NULL, "/run/host/etc", "host");
  pv_mounts_make (mounts, PV_MOUNT_FOLDER, "/etc", 0755, "leads to others");
  pv_mounts_link (mounts, "/run/host/etc/hosts", "/etc/hosts", "the host's");
  pv_mounts_link (mounts, "usr/lib", "/lib", "root link");
  pv_mounts_link (mounts, "../run", "/var/run", "link");
  pv_mounts_link (mounts, "loop", "/loop", "link");
  return mounts;
}

static void
check (const char *path, const char *host_path, const char *dest, guint n_links)
{
  g_autoptr (GPtrArray) mounts = make_mounts ();
  g_autoptr (PvVisibility) seen = pv_visibility_find (mounts, path);

  g_assert_cmpstr (seen->host_path, ==, host_path);
  g_assert_cmpstr (seen->mount != NULL ? seen->mount->dest : NULL, ==, dest);
  g_assert_cmpuint (seen->links->len, ==, n_links);
}

static void
test_mounts (void)
{
  check ("/usr", "/runtime/files", "/usr", 0);
  check ("/usr/bin/env", "/runtime/files/bin/env", "/usr", 0);
  check ("/usrlocal", NULL, NULL, 0);
  check ("/home/u/game", "/home/u/game", "/home/u", 0);
  check ("/home/u/hidden", NULL, "/home/u/hidden", 0);
  check ("/home/u/hidden/x", NULL, "/home/u/hidden", 0);
  check ("/home/u/hidden/data/x", "/data/x", "/home/u/hidden/data", 0);
  check ("/home", NULL, NULL, 0);
  check ("/srv", NULL, NULL, 0);
}

static void
test_links (void)
{
  check ("/etc/hosts", "/etc/hosts", "/run/host/etc", 1);
  check ("/lib/x/y", "/runtime/files/lib/x/y", "/usr", 1);
  check ("/var/run/host/etc/passwd", "/etc/passwd", "/run/host/etc", 1);
  check ("/etc", NULL, "/etc", 0);
  /* Ends, as the kernel does. */
  check ("/loop/x", NULL, "/loop", 40);
}

static void
test_places (void)
{
  g_autoptr (GPtrArray) mounts = make_mounts ();
  g_autoptr (GPtrArray) places = pv_visibility_list_places (mounts, "/data/x/y");
  g_autoptr (GPtrArray) none = pv_visibility_list_places (mounts, "/database");

  g_assert_cmpuint (places->len, ==, 1);
  g_assert_cmpstr (places->pdata[0], ==, "/home/u/hidden/data/x/y");
  g_assert_cmpuint (none->len, ==, 0);
}

static void
test_root (void)
{
  g_autoptr (GPtrArray) mounts = pv_mounts_new ();
  g_autoptr (PvVisibility) seen = NULL;

  pv_mounts_bind (mounts, PV_MOUNT_BIND, "/", -1, NULL, "/run/host", "all");
  seen = pv_visibility_find (mounts, "/run/host/srv");
  g_assert_cmpstr (seen->host_path, ==, "/srv");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/visibility/mounts", test_mounts);
  g_test_add_func ("/visibility/links", test_links);
  g_test_add_func ("/visibility/places", test_places);
  g_test_add_func ("/visibility/root", test_root);
  return g_test_run ();
}
