/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "plan/reserved.h"

static void
test_find (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *path;
    const char *reserved;
  } rows[] = {
    { "/usr", "/usr" },           { "/usr/share/games", "/usr" }, { "/", "/.flatpak-info" },
    { "/run", "/run/flatpak" },   { "/run/host", "/run/host" },   { "/run/host/x", "/run/host" },
    { "/.ref", "/.ref" },         { "/var", "/var/cache/ldconfig" },
    { "/etc/hosts", "/etc" },     { "/proc/self", "/proc" },      { "/dev/shm", "/dev" },
    { "/home", NULL },            { "/home/ada", NULL },          { "/usrlocal", NULL },
    { "/run/user/1000", NULL },   { "/run/hostile", NULL },       { "/tmp", NULL },
    { "/opt/game", NULL },        { "/var/tmp", NULL },           { "/library", NULL },
    { "/mnt/usr", NULL },         { "/srv", NULL },               { "/var/lib/games", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpstr (pv_reserved_find (rows[i].path), ==, rows[i].reserved);
}

static void
test_below (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_true (pv_path_is_at_or_below ("/a/b", "/a"));
  g_assert_true (pv_path_is_at_or_below ("/a", "/a"));
  g_assert_true (pv_path_is_at_or_below ("/a", "/"));
  g_assert_false (pv_path_is_at_or_below ("/ab", "/a"));
  g_assert_false (pv_path_is_at_or_below ("/", "/a"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/reserved/find", test_find);
  pv_fixture_add ("/reserved/below", test_below);
  return g_test_run ();
}
