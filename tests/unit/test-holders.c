/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/process.h"
#include "child.h"
#include "fixture.h"
#include "lock/holders.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static guint
count (const PvHolders *holders, unsigned int device_minor, ino_t inode)
{
  const GArray *pids = pv_holders_get (holders, makedev (254, device_minor), inode);

  return pids == NULL ? 0 : pids->len;
}

static void
test_parse (void)
{
  g_autoptr (PvHolders) holders = pv_holders_new ();

  pv_holders_add (holders, 5,
                  "pos:\t0\nflags:\t02100000\nmnt_id:\t26\nino:\t4242\n"
                  "lock:\t1: OFDLCK ADVISORY  READ -1 fe:1f:4242 0 EOF\n"
                  "lock:\t2: OFDLCK ADVISORY  READ -1 fe:1f:4242 7 9\n");
  pv_holders_add (holders, 6, "lock:\t1: POSIX  ADVISORY  WRITE 6 fe:1f:4242 0 EOF");
  pv_holders_add (holders, 7, "lock:\t1: FLOCK  ADVISORY  WRITE 7 fe:1f:4242 0 EOF\n");
  pv_holders_add (holders, 8, "lock:\t1: OFDLCK ADVISORY\nlock:\nlock\n\nxlock:\t1: OFDLCK A R 1 "
                              "fe:1f:4242 0 EOF\n");
  g_assert_cmpuint (count (holders, 0x1f, 4242), ==, 2);
  g_assert_cmpuint (count (holders, 0x1f, 4243), ==, 0);
  g_assert_cmpuint (count (holders, 0x1e, 4242), ==, 0);
}

static void
test_read (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, "file");
  g_autofree char *command = NULL;
  PvHolder holder;
  struct stat st;

  pv_fixture_write (fixture, "file", "");
  g_assert_cmpint (stat (path, &st), ==, 0);
  holder = pv_holder_start (path, PV_HOLD_OFD, FALSE);
  {
    g_autoptr (PvHolders) holders = pv_holders_read ();
    const GArray *pids = pv_holders_get (holders, st.st_dev, st.st_ino);

    g_assert_nonnull (pids);
    g_assert_cmpuint (pids->len, ==, 1);
    g_assert_cmpint (g_array_index (pids, pid_t, 0), ==, holder.pid);
  }
  command = pv_process_get_command (holder.pid);
  g_assert_nonnull (strstr (command, "test-holders"));
  pv_holder_stop (&holder);
  g_assert_null (pv_process_get_command (holder.pid));
}

static void
test_processes (void)
{
  g_autoptr (GArray) pids = pv_process_list ();
  gboolean found = FALSE;

  for (guint i = 0; i < pids->len; i++)
    {
      found |= g_array_index (pids, pid_t, i) == getpid ();
      if (i > 0)
        g_assert_cmpint (g_array_index (pids, pid_t, i - 1), <, g_array_index (pids, pid_t, i));
    }
  g_assert_true (found);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/holders/parse", test_parse);
  g_test_add_func ("/holders/processes", test_processes);
  pv_fixture_add ("/holders/read", test_read);
  return g_test_run ();
}
