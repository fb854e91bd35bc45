/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/openat2.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const tree[] = {
  "outside/secret",          "inside/dir/file",           "inside/plain>dir/file",
  "inside/back>dir/../dir/file", "inside/up>../outside/secret", "inside/abs>/outside/secret",
  "inside/abs-in>/dir/file", "inside/dir-link>dir",       "inside/loop>loop",
  "inside/dangling>nowhere", "inside/magic>/proc/self/root", NULL,
};

/* 0: it can be opened; otherwise the errno. */
static const struct
{
  const char *path;
  int beneath;
  int in_root;
  int no_links;
} rows[] = {
  { "dir/file", 0, 0, 0 },
  { "dir/../dir/file", 0, 0, 0 },
  { "plain", 0, 0, ELOOP },
  { "back", 0, 0, ELOOP },
  { "dir-link/file", 0, 0, ELOOP },
  { "..", EXDEV, 0, 0 },
  { "../outside/secret", EXDEV, ENOENT, 0 },
  { "dir/../../outside/secret", EXDEV, ENOENT, 0 },
  { "/dir/file", EXDEV, 0, ENOENT },
  { "up", EXDEV, ENOENT, ELOOP },
  { "abs", EXDEV, ENOENT, ELOOP },
  { "abs-in", EXDEV, 0, ELOOP },
  { "loop", ELOOP, ELOOP, ELOOP },
  { "dangling", ENOENT, ENOENT, ELOOP },
  { "magic/etc", EXDEV, ENOENT, ELOOP },
  { "nothing", ENOENT, ENOENT, ENOENT },
};

static int
try_open (int dir_fd, const char *path, int flags, PvResolve resolve)
{
  pv_autofd fd = pv_openat2 (dir_fd, path, flags, 0, resolve);

  if (fd < 0)
    return errno;
  g_assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
  return 0;
}

static void
test_modes (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const int flags[] = { O_RDONLY, O_PATH };
  pv_autofd inside = -1;

  pv_fixture_make (fixture, tree);
  inside = openat (fixture->dir_fd, "inside", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (gsize i = 0; i < G_N_ELEMENTS (rows) * G_N_ELEMENTS (flags); i++)
    {
      const char *path = rows[i / 2].path;
      int how = flags[i % 2];

      g_test_message ("%s, flags %o", path, (guint) how);
      g_assert_cmpint (try_open (inside, path, how, PV_RESOLVE_BENEATH), ==, rows[i / 2].beneath);
      g_assert_cmpint (try_open (inside, path, how, PV_RESOLVE_IN_ROOT), ==, rows[i / 2].in_root);
      g_assert_cmpint (try_open (inside, path, how, PV_RESOLVE_NO_LINKS), ==, rows[i / 2].no_links);
    }
  g_assert_cmpint (try_open (inside, "up", O_RDONLY, PV_RESOLVE_ANYWHERE), ==, 0);
  g_assert_cmpint (try_open (inside, "../outside/secret", O_PATH, PV_RESOLVE_ANYWHERE), ==, 0);
}

static void
test_create (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "inside/", "inside/link>../made", "inside/in>made", NULL };
  pv_autofd inside = -1;
  pv_autofd fd = -1;
  pv_autofd refused = -1;

  pv_fixture_make (fixture, made);
  inside = openat (fixture->dir_fd, "inside", O_PATH | O_DIRECTORY | O_CLOEXEC);
  refused = pv_openat2 (inside, "link", O_WRONLY | O_CREAT, 0644, PV_RESOLVE_BENEATH);
  g_assert_cmpint (refused, ==, -1);
  g_assert_cmpint (errno, ==, EXDEV);
  g_assert_false (pv_fixture_exists (fixture, "made"));
  fd = pv_openat2 (inside, "in", O_WRONLY | O_CREAT, 0644, PV_RESOLVE_BENEATH);
  g_assert_cmpint (fd, >=, 0);
  g_assert_true (pv_fixture_exists (fixture, "inside/made"));
}

static void
test_exists (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_autofd inside = -1;

  pv_fixture_make (fixture, tree);
  inside = openat (fixture->dir_fd, "inside", O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_assert_true (pv_exists_in_root (inside, "abs-in"));
  g_assert_true (pv_exists_in_root (inside, "dir"));
  g_assert_false (pv_exists_in_root (inside, "abs"));
  g_assert_false (pv_exists_in_root (inside, "../outside"));
  g_assert_false (pv_exists_in_root (inside, "dangling"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/openat2/modes", test_modes);
  pv_fixture_add ("/openat2/create", test_create);
  pv_fixture_add ("/openat2/exists", test_exists);
  return g_test_run ();
}
