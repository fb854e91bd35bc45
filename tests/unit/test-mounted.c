/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "child.h"
#include "copy/mounted.h"
#include "fixture.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char mountinfo[]
  = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
    "23 22 0:21 / /proc rw - proc proc rw\n"
    "40 22 0:39 /games /srv/a\\040b rw - btrfs /dev/sdb rw,subvol=/games\n"
    "41 22 254:0 /deep/down /srv/link rw - ext4 /dev/root rw\n";

static void
assert_place (guint64 id, const char *path, unsigned int device_minor, const char *root)
{
  g_autoptr (PvPlace) place = pv_place_find (mountinfo, id, path);

  g_assert_cmpstr (place->path, ==, path);
  g_assert_cmpstr (place->root, ==, root);
  g_assert_cmpuint (minor (place->device), ==, device_minor);
}

static void
test_place (void)
{
  assert_place (22, "/home/me/DIR", 0, "/home/me/DIR");
  assert_place (40, "/srv/a b/DIR", 39, "/games/DIR");
  assert_place (40, "/srv/a b", 39, "/games");
  assert_place (41, "/srv/link/x", 0, "/deep/down/x");
  /* Not below the mount point, and a mount that cannot be seen. */
  assert_place (40, "/srv/a bc", 0, NULL);
  assert_place (99, "/home", 0, NULL);
}

static void
test_bad_lines (void)
{
  static const char *const bad[] = {
    "", "22", "22 1", "22 1 254:0", "22 1 254:0 /", "22 1 254:0 / /", "22 1 254:0 a / rw",
    "22 1 254 / / rw", "x 1 254:0 / / rw", "22 1 254:0 / x rw", "22 1 254:0 /\n/ rw",
  };
  g_auto (PvMountLine) line = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (pv_mount_line_parse (bad[i], &line));
  g_assert_true (pv_mount_line_parse ("22 1 254:0 /a\\134\\012\\9\\04 /\\011\\040 rw", &line));
  g_assert_cmpstr (line.root, ==, "/a\\\n\\9\\04");
  g_assert_cmpstr (line.point, ==, "/\t ");
}

/* Returns: the first pid, or 0 */
static int
get (const PvMounted *mounted, unsigned int device_minor, const char *root, const char *path)
{
  const PvPlace place = { .device = device_minor == 0 ? 0 : makedev (254, device_minor),
                          .root = (char *) root,
                          .path = (char *) path };
  const GArray *pids = pv_mounted_get (mounted, &place);

  return pids == NULL ? 0 : g_array_index (pids, pid_t, 0);
}

static void
test_get (void)
{
  g_autoptr (PvMounted) mounted = pv_mounted_new ();

  pv_mounted_add (mounted, 7, FALSE,
                  "50 1 254:1 /p/tmp-ref/usr/.ref /newroot/usr/.ref rw - ext4 x rw\n"
                  "51 1 254:1 /p/tmp-whole /usr rw - ext4 x rw\n"
                  "52 1 254:1 /p/.trash-x/usr/.ref//deleted /usr rw - ext4 x rw\n"
                  "53 1 254:1 /p/tmp-a\\040b\\134/usr /p/tmp-point/m rw - ext4 x rw\n"
                  "54 1 254:1 /tmp-outer/p/tmp-inner/usr /usr rw - ext4 x rw\n"
                  "55 1 254:1 /p /p rw - ext4 x rw");
  pv_mounted_add (mounted, 8, TRUE, "56 1 254:2 /x /q/tmp-point/m rw - ext4 x rw\n");

  g_assert_cmpint (get (mounted, 1, "/p/tmp-ref", "/p/tmp-ref"), ==, 7);
  g_assert_cmpint (get (mounted, 1, "/p/tmp-whole", "/p/tmp-whole"), ==, 7);
  g_assert_cmpint (get (mounted, 1, "/p/.trash-x", "/p/.trash-x"), ==, 7);
  g_assert_cmpint (get (mounted, 1, "/p/tmp-a b\\", "/p/tmp-a b\\"), ==, 7);
  g_assert_cmpint (get (mounted, 1, "/tmp-outer/p/tmp-inner", "/y/tmp-inner"), ==, 7);
  /* Where another process has mounted something is a path of its own. */
  g_assert_cmpint (get (mounted, 1, "/p/tmp-point", "/p/tmp-point"), ==, 0);
  g_assert_cmpint (get (mounted, 1, "/q/tmp-point", "/q/tmp-point"), ==, 8);
  /* Another name, another folder, another filesystem. */
  g_assert_cmpint (get (mounted, 1, "/p/tmp-re", "/p/tmp-re"), ==, 0);
  g_assert_cmpint (get (mounted, 1, "/q/tmp-ref", "/q/tmp-ref"), ==, 0);
  g_assert_cmpint (get (mounted, 3, "/p/tmp-ref", "/p/tmp-ref"), ==, 0);
  /* Who does not know where it is goes by the name alone. */
  g_assert_cmpint (get (mounted, 0, NULL, "/anywhere/tmp-ref"), ==, 7);
  g_assert_cmpint (get (mounted, 0, NULL, "/anywhere/tmp-other"), ==, 0);
}

static void
assert_found (const PvFixture *fixture, gboolean expected)
{
  g_autoptr (PvMounted) mounted = pv_mounted_read ();
  pv_autofd fd = open (fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (PvPlace) parent = pv_place_of (fd);
  g_autoptr (PvPlace) place = pv_place_inside (parent, "tmp-one");

  g_assert_nonnull (place->root);
  g_assert_cmpint (pv_mounted_get (mounted, place) != NULL, ==, expected);
}

/* As the kernel has it: there are blanks on the way; also when the file has been deleted. */
static int
mount_ref (gconstpointer data)
{
  const PvFixture *fixture = data;
  g_autofree char *ref = pv_fixture_path (fixture, "tmp-one/a b\\/.ref");
  g_autofree char *target = pv_fixture_path (fixture, "target");

  assert_found (fixture, FALSE);
  g_assert_cmpint (mount (ref, target, NULL, MS_BIND, NULL), ==, 0);
  assert_found (fixture, TRUE);
  g_assert_cmpint (unlink (ref), ==, 0);
  assert_found (fixture, TRUE);
  g_assert_cmpint (umount2 (target, MNT_DETACH), ==, 0);
  assert_found (fixture, FALSE);
  return 0;
}

static void
test_read (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "tmp-one/a b\\/.ref", "target", NULL };
  g_autofree char *why_not = NULL;
  int status;

  pv_fixture_make (fixture, entries);
  if (!pv_child_run_in_namespaces (mount_ref, fixture, &status, &why_not))
    g_test_skip (why_not);
  else
    g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mounted/place", test_place);
  g_test_add_func ("/mounted/bad-lines", test_bad_lines);
  g_test_add_func ("/mounted/get", test_get);
  pv_fixture_add ("/mounted/read", test_read);
  return g_test_run ();
}
