/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "base/tree.h"
#include "copy/tree-snapshot.h"
#include "mounted.h"
#include "sample-tree.h"
#include "tree-state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static int
open_in (const PvFixture *inside, const char *name)
{
  int fd;

  if (mkdirat (inside->dir_fd, name, 0755) < 0)
    g_assert_cmpint (errno, ==, EEXIST);
  fd = openat (inside->dir_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
make_subvolume (const PvFixture *inside, const char *folder, const char *name)
{
  pv_autofd parent = openat (inside->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct btrfs_ioctl_vol_args args = { .fd = 0 };

  g_assert_true (g_strlcpy (args.name, name, sizeof args.name) < sizeof args.name);
  g_assert_cmpint (ioctl (parent, BTRFS_IOC_SUBVOL_CREATE, &args), ==, 0);
}

static void
assert_no_snapshot (const PvFixture *inside, const char *source, const char *why)
{
  pv_autofd source_fd = open_in (inside, source);
  g_autoptr (GError) error = NULL;

  g_assert_false (pv_tree_snapshot (source_fd, inside->dir_fd, "refused", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
  g_assert_true (g_str_has_suffix (error->message, why));
}

static void
assert_snapshot (const PvFixture *inside, const char *source)
{
  pv_autofd parent = open_in (inside, "parent");
  pv_autofd source_fd = open_in (inside, source);
  g_autofree char *before = pv_tree_state (inside->dir_fd, source);
  g_autofree char *after = NULL;
  g_autofree char *copied = NULL;
  g_autoptr (GError) error = NULL;

  pv_tree_snapshot (source_fd, parent, "new\n\xff", &error);
  g_assert_no_error (error);
  copied = pv_tree_state (parent, "new\n\xff");
  pv_tree_assert_same (before, copied);
  pv_fixture_write (inside, "parent/new\n\xff/written", "");
  after = pv_tree_state (inside->dir_fd, source);
  pv_tree_assert_same (before, after);

  g_assert_false (pv_tree_snapshot (source_fd, parent, "new\n\xff", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_cmpint (fchmodat (parent, "new\n\xff", 0500, 0), ==, 0);
  pv_tree_remove_at (parent, "new\n\xff", &error);
  g_assert_no_error (error);
  g_assert_false (pv_fixture_exists (inside, "parent/new\n\xff"));
}

static int
snapshot_of_user (gconstpointer data)
{
  const PvFixture *inside = data;

  g_assert_true (setgroups (0, NULL) == 0 && setresgid (NOBODY, NOBODY, NOBODY) == 0
                 && setresuid (NOBODY, NOBODY, NOBODY) == 0);
  make_subvolume (inside, "own", "source");
  pv_sample_tree_make (inside, "own/source");
  assert_no_snapshot (inside, "source", g_strerror (EPERM));
  g_assert_cmpint (renameat (inside->dir_fd, "own/source", inside->dir_fd, "own/renamed"), ==, 0);
  assert_snapshot (inside, "own/renamed");
  return 0;
}

static int
snapshot (gconstpointer data)
{
  const PvMounted *mounted = data;
  const PvFixture *inside = mounted->inside;
  pv_autofd source = -1;
  g_autoptr (GError) error = NULL;

  close (open_in (inside, "own"));
  close (open_in (inside, "parent"));
  make_subvolume (inside, ".", "source");
  pv_sample_tree_make (inside, "source");
  assert_snapshot (inside, "source");
  assert_no_snapshot (inside, "own", "it is no btrfs subvolume");

  source = open_in (inside, "source");
  g_assert_false (pv_tree_snapshot (source, mounted->outside->dir_fd, "x", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_UNSUPPORTED);
  g_clear_error (&error);

  g_assert_cmpint (fchownat (inside->dir_fd, "own", NOBODY, NOBODY, 0), ==, 0);
  g_assert_cmpint (fchownat (inside->dir_fd, "parent", NOBODY, NOBODY, 0), ==, 0);
  g_assert_cmpint (fchmod (mounted->outside->dir_fd, 0755), ==, 0);
  g_assert_cmpint (fchmodat (inside->dir_fd, "source", 0755, 0), ==, 0);
  g_assert_cmpint (pv_child_run (snapshot_of_user, inside), ==, 0);

  make_subvolume (inside, "source/a", "nested");
  assert_no_snapshot (inside, "source", "there are other subvolumes in it");
  pv_fd_clear (&source);
  return 0;
}

static void
test_snapshot (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_mounted_run (fixture, "btrfs", snapshot);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/tree-snapshot/all", test_snapshot);
  return g_test_run ();
}
