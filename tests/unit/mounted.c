/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mounted.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SKIPPED 77

/* More than the least of any; an ext4 that is smaller has smaller blocks. */
#define IMAGE_SIZE (600 << 20)

/**
 * Call: what the child does.
 */
typedef struct
{
  PvMounted *mounted;
  PvChildFunc func;
} Call;

static void
run (const char *const *argv)
{
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors,
                &status, &error);
  g_assert_no_error (error);
  if (status != 0)
    g_error ("%s: %s%s", argv[0], output, errors);
}

/* The loop device goes away with the mount. */
static void
mount_image (const PvMounted *self)
{
  g_autofree char *image = pv_fixture_path (self->outside, "image");
  g_autofree char *mkfs = g_strconcat ("mkfs.", self->type, NULL);
  const char *const make[] = { mkfs, "-q", image, NULL };
  const char *const make_mount[] = { "mount", "-o", "loop", image, self->inside->path, NULL };
  pv_autofd fd = open (image, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  g_assert_cmpint (ftruncate (fd, IMAGE_SIZE), ==, 0);
  /* The path of an ordinary user may lack it. */
  g_setenv ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", TRUE);
  run (make);
  run (make_mount);
}

static int
call_mounted (gconstpointer data)
{
  const Call *call = data;
  PvFixture *inside = call->mounted->inside;
  PvFixture outside = *call->mounted->outside;
  gboolean is_tmpfs = g_str_equal (call->mounted->type, "tmpfs");
  int status;

  if (is_tmpfs)
    g_assert_cmpint (mount ("tmpfs", inside->path, "tmpfs", 0, "size=100m"), ==, 0);
  else if (access ("/dev/loop-control", R_OK | W_OK) < 0)
    return SKIPPED;
  else
    mount_image (call->mounted);
  inside->dir_fd = open (inside->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fchmod (inside->dir_fd, 0755), ==, 0);
  /* One that was open before this namespace was made does not lead to what is mounted in it. */
  outside.dir_fd = open (outside.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  call->mounted->outside = &outside;
  status = call->func (call->mounted);
  pv_fd_clear (&outside.dir_fd);
  pv_fd_clear (&inside->dir_fd);
  g_assert_cmpint (umount2 (inside->path, MNT_DETACH), ==, 0);
  return status;
}

/**
 * pv_mounted_run:
 * @type: of the filesystem
 * @func: gets a #PvMounted; it returns 0
 *
 * Runs @func in a process of its own, which alone sees the filesystem; or skips the test.
 */
void
pv_mounted_run (const PvFixture *fixture, const char *type, PvChildFunc func)
{
  static const char *const made[] = { "m/", NULL };
  g_autofree char *path = pv_fixture_path (fixture, "m");
  PvFixture inside = { .path = path, .dir_fd = -1 };
  PvMounted mounted = { type, fixture, &inside };
  const Call call = { &mounted, func };
  g_autofree char *why_not = NULL;
  int status;

  pv_fixture_make (fixture, made);
  if (!pv_child_run_in_namespaces (call_mounted, &call, &status, &why_not))
    g_test_skip (why_not);
  else if (status == SKIPPED)
    g_test_skip ("only root can mount a filesystem that is in a file");
  else
    g_assert_cmpint (status, ==, 0);
}
