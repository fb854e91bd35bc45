/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/mapping.h"

static const struct
{
  const char *path;
  const char *usr;  /* NULL: has no place there */
  const char *root;
} rows[] = {
  { "./", NULL, NULL },
  { ".", NULL, NULL },
  { "./usr/", NULL, "usr" },
  { "./usr/bin/sh", "bin/sh", "usr/bin/sh" },
  { "/usr/bin/sh", "bin/sh", "usr/bin/sh" },
  { "usr/share/etc/x", "share/etc/x", "usr/share/etc/x" },
  { "./etc/", "etc", "etc" },
  { "./etc/passwd", "etc/passwd", "etc/passwd" },
  { "./etcetera", NULL, "etcetera" },
  { "./usrlocal", NULL, "usrlocal" },
  { "./etc/hostname", NULL, NULL },
  { "./etc/resolv.conf", NULL, NULL },
  { "./usr/.ref", NULL, "usr/.ref" },
  { "./.ref", NULL, NULL },
  { "./bin", NULL, "bin" },
  { "./var/lib/dpkg/status", NULL, "var/lib/dpkg/status" },
  { "./var/lib/apt/lists/", NULL, "var/lib/apt/lists" },
  { "./var/lib/apt/lists/lock", NULL, NULL },
  { "./dev/", NULL, "dev" },
  { "./dev/null", NULL, NULL },
  { "./device", NULL, "device" },
  { "./tmp/x", NULL, NULL },
  { "./etc/init.d", NULL, "etc/init.d" },
  { "./etc/init.d/procps", NULL, "etc/init.d/procps" },
  { "./etc/rc3.d/S01procps", NULL, "etc/rc3.d/S01procps" },
  { "./etc/passwd-", NULL, "etc/passwd-" },
  { "./etc/fonts/conf.d/10-x.conf", "etc/fonts/conf.d/10-x.conf", "etc/fonts/conf.d/10-x.conf" },
  { "./usr/share/etc/fstab", "share/etc/fstab", "usr/share/etc/fstab" },
};

static void
test_map (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *usr = pv_mapping_map (PV_LAYOUT_USR, rows[i].path);
      g_autofree char *root = pv_mapping_map (PV_LAYOUT_ROOT, rows[i].path);

      g_test_message ("%s", rows[i].path);
      g_assert_cmpstr (usr, ==, rows[i].usr);
      g_assert_cmpstr (root, ==, rows[i].root);
    }
}

static void
test_unmerged (void)
{
  g_assert_true (pv_mapping_is_unmerged ("./bin/sh"));
  g_assert_true (pv_mapping_is_unmerged ("lib64/ld-linux-x86-64.so.2"));
  g_assert_false (pv_mapping_is_unmerged ("./bin"));
  g_assert_false (pv_mapping_is_unmerged ("./bin/"));
  g_assert_false (pv_mapping_is_unmerged ("./usr/bin/sh"));
  g_assert_false (pv_mapping_is_unmerged ("./binary/sh"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mapping/map", test_map);
  g_test_add_func ("/mapping/unmerged", test_unmerged);
  return g_test_run ();
}
