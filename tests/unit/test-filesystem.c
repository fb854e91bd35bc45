/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "fixture.h"
#include "lock/filesystem.h"

#include <fcntl.h>

/* statfs(2) has these numbers. */
static void
test_magic (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    guint32 magic;
    PvFilesystemKind kind;
    const char *name;
  } rows[] = {
    { 0x6969, PV_FILESYSTEM_REMOTE, "NFS" },       { 0x517b, PV_FILESYSTEM_REMOTE, "SMB" },
    { 0xff534d42, PV_FILESYSTEM_REMOTE, "CIFS" },  { 0xfe534d42, PV_FILESYSTEM_REMOTE, "SMB2" },
    { 0x01021997, PV_FILESYSTEM_REMOTE, "9p" },    { 0x65735546, PV_FILESYSTEM_REMOTE, "FUSE" },
    { 0x00c36400, PV_FILESYSTEM_REMOTE, "CephFS" }, { 0x5346414f, PV_FILESYSTEM_REMOTE, "AFS" },
    { 0x6b414653, PV_FILESYSTEM_REMOTE, "AFS" },   { 0x73757245, PV_FILESYSTEM_REMOTE, "Coda" },
    { 0x0bd00bd0, PV_FILESYSTEM_REMOTE, "Lustre" }, { 0x01161970, PV_FILESYSTEM_REMOTE, "GFS2" },
    { 0x794c7630, PV_FILESYSTEM_OVERLAY, "overlay" },
    { 0xef53, PV_FILESYSTEM_LOCAL, "local" },      { 0x9123683e, PV_FILESYSTEM_LOCAL, "local" },
    { 0x58465342, PV_FILESYSTEM_LOCAL, "local" },  { 0x01021994, PV_FILESYSTEM_LOCAL, "local" },
    { 0, PV_FILESYSTEM_LOCAL, "local" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *name;

      g_assert_cmpint (pv_filesystem_kind_of_magic (rows[i].magic, &name), ==, rows[i].kind);
      g_assert_cmpstr (name, ==, rows[i].name);
    }
}

static void
test_fd (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd proc = open ("/proc/self/status", O_RDONLY | O_CLOEXEC);
  const char *name = NULL;

  g_assert_cmpint (pv_filesystem_get_kind (proc, &name), ==, PV_FILESYSTEM_LOCAL);
  g_assert_cmpstr (name, ==, "local");
  g_assert_cmpint (pv_filesystem_get_kind (-1, &name), ==, PV_FILESYSTEM_LOCAL);
  g_assert_cmpstr (name, ==, "local");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/filesystem/magic", test_magic);
  pv_fixture_add ("/filesystem/fd", test_fd);
  return g_test_run ();
}
