/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "fixture.h"
#include "host/etc-file.h"

#include <fcntl.h>

static void
test_read (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = {
    "etc/hosts",
    "etc/localtime>../usr/share/zoneinfo/Europe/Berlin",
    "etc/machine-id>nowhere",
    "etc/timezone",
    "etc/passwd",
    NULL,
  };
  g_autoptr (GPtrArray) files = NULL;
  const PvHostFile *hosts, *localtime_file, *timezone_file;
  pv_autofd etc_fd = -1;

  pv_fixture_make (fixture, made);
  pv_fixture_write (fixture, "usr/share/zoneinfo/Europe/Berlin", "TZif2");
  etc_fd = openat (fixture->dir_fd, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  files = pv_host_files_read (etc_fd);
  g_assert_cmpuint (files->len, ==, 3);

  /* A plain file is linked to, a link out of /etc is read, one that leads nowhere is left out. */
  hosts = files->pdata[0];
  g_assert_cmpstr (hosts->name, ==, "hosts");
  g_assert_null (hosts->data);
  localtime_file = files->pdata[1];
  g_assert_cmpstr (localtime_file->name, ==, "localtime");
  g_assert_cmpmem (g_bytes_get_data (localtime_file->data, NULL),
                   g_bytes_get_size (localtime_file->data), "TZif2", 5);
  timezone_file = files->pdata[2];
  g_assert_cmpstr (timezone_file->name, ==, "timezone");
}

static void
test_zone (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *entry;
    const char *zone;
  } rows[] = {
    { "a/localtime>/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin" },
    { "b/localtime>../usr/share/zoneinfo/UTC", "UTC" },
    { "c/localtime>/usr/share/zoneinfo/../../../etc/shadow", NULL },
    { "d/localtime>/etc/zone", NULL },
    { "e/localtime", NULL },
    { "f/other", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *const made[] = { rows[i].entry, NULL };
      const char folder[] = { rows[i].entry[0], '\0' };
      g_autofree char *zone = NULL;
      pv_autofd etc_fd = -1;

      pv_fixture_make (fixture, made);
      etc_fd = openat (fixture->dir_fd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
      zone = pv_host_zone_read (etc_fd);
      g_assert_cmpstr (zone, ==, rows[i].zone);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/etc-file/read", test_read);
  pv_fixture_add ("/etc-file/zone", test_zone);
  return g_test_run ();
}
