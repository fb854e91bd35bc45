/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "launch/bwrap-args.h"

static void
fill (PvPlan *plan)
{
  g_autoptr (GBytes) data = g_bytes_new_static ("text\n", 5);

  plan->mounts = pv_mounts_new ();
  plan->edits = pv_environment_edits_new ();
  plan->notices = g_ptr_array_new_with_free_func (g_free);
  plan->cwd = g_strdup ("/home/a b");
  pv_mounts_bind (plan->mounts, PV_MOUNT_BIND_READ_ONLY, "/srv/scout", 7, NULL, "/usr", "why");
  pv_mounts_bind (plan->mounts, PV_MOUNT_BIND_READ_ONLY, "/srv/scout", 7, "lib", "/lib", "why");
  pv_mounts_bind (plan->mounts, PV_MOUNT_BIND_DEVICES, "/dev", -1, NULL, "/dev", "why");
  pv_mounts_make (plan->mounts, PV_MOUNT_PROC, "/proc", 0, "why");
  pv_mounts_link (plan->mounts, "usr/bin", "/bin", "why");
  pv_mounts_make (plan->mounts, PV_MOUNT_FOLDER, "/home", 0755, "why");
  pv_mounts_make (plan->mounts, PV_MOUNT_TMPFS, "/home/a b", 0700, "why");
  pv_mounts_file (plan->mounts, data, NULL, "/etc/passwd", "why");
  pv_mounts_bind (plan->mounts, PV_MOUNT_BIND, "/tmp", 8, NULL, "/tmp", "why");
  pv_mounts_file (plan->mounts, data, "/etc/zone", "/etc/zone", "why");
  pv_environment_edit (plan->edits, "A", "x y", "why");
  pv_environment_edit (plan->edits, "B", NULL, "why");
  pv_environment_edit (plan->edits, "C", "", "why");
}

static void
assert_args (const PvPlan *plan, PvBwrapSources sources, const int *fds,
             const char *const *expected)
{
  g_autoptr (GPtrArray) args = pv_bwrap_args (plan, sources, fds);

  g_ptr_array_add (args, NULL);
  g_assert_cmpstrv ((char **) args->pdata, (char **) expected);
}

/* All of the plan, for a command that somebody else can run. */
static void
test_by_path (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  const int fds[] = { 3, 4 };
  const char *const expected[] = {
    "--cap-drop", "ALL",
    "--ro-bind", "/srv/scout", "/usr",
    "--ro-bind", "/srv/scout/lib", "/lib",
    "--dev-bind", "/dev", "/dev",
    "--proc", "/proc",
    "--symlink", "usr/bin", "/bin",
    "--perms", "0755", "--dir", "/home",
    "--perms", "0700", "--tmpfs", "/home/a b",
    "--perms", "0644", "--file", "3", "/etc/passwd",
    "--bind", "/tmp", "/tmp",
    "--perms", "0644", "--file", "4", "/etc/zone",
    "--setenv", "A", "x y",
    "--unsetenv", "B",
    "--setenv", "C", "",
    "--chdir", "/home/a b",
    NULL,
  };
  g_autoptr (PvPlan) plan = g_new0 (PvPlan, 1);
  g_autoptr (GPtrArray) files = NULL;

  fill (plan);
  plan->share_pid = plan->share_net = TRUE;
  assert_args (plan, PV_BWRAP_BY_PATH, fds, expected);
  files = pv_bwrap_list_files (plan);
  g_assert_cmpuint (files->len, ==, 2);
  g_assert_cmpstr (((PvMount *) files->pdata[1])->dest, ==, "/etc/zone");
}

/* Only mounts, through the open folders; and each namespace that is not shared. */
static void
test_by_fd (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  const char *const expected[] = {
    "--cap-drop", "ALL",
    "--unshare-pid", "--as-pid-1",
    "--unshare-net",
    "--ro-bind", "/proc/self/fd/7", "/usr",
    "--ro-bind", "/proc/self/fd/7/lib", "/lib",
    "--dev-bind", "/dev", "/dev",
    "--proc", "/proc",
    "--perms", "0700", "--tmpfs", "/home/a b",
    "--bind", "/proc/self/fd/8", "/tmp",
    "--chdir", "/home/a b",
    NULL,
  };
  g_autoptr (PvPlan) plan = g_new0 (PvPlan, 1);

  fill (plan);
  assert_args (plan, PV_BWRAP_BY_FD, NULL, expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/bwrap-args/by-path", test_by_path);
  pv_fixture_add ("/bwrap-args/by-fd", test_by_fd);
  return g_test_run ();
}
