/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody changes the source while it is copied.  The copy may fail, or be incomplete; but it has
 * nothing from outside the source, and nobody waits for ever. */
#include "base/error.h"
#include "base/fd.h"
#include "base/tree.h"
#include "child.h"
#include "copy/tree-copy.h"
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_TIMES 200
#define N_TIMES_THOROUGH 5000
#define N_FOLDERS 8
#define MAX_PAUSE_US 1000

static void
exchange (const PvFixture *fixture, const char *one, const char *other)
{
  renameat2 (fixture->dir_fd, one, fixture->dir_fd, other, RENAME_EXCHANGE);
}

/* Each is something else now and then: a folder and a file are links that lead out, the file is a
 * FIFO that nobody writes to, and a folder that has been entered is not in the source any more. */
static void
change (const PvFixture *fixture)
{
  exchange (fixture, "source/folder", "source/to-outside");
  exchange (fixture, "source/file", "source/to-secret");
  exchange (fixture, "source/file", "source/fifo");
  exchange (fixture, "source/moved/here", "outside/here");
  exchange (fixture, "source/comes", "goes");
}

static pid_t
start_changing (const PvFixture *fixture)
{
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      for (guint i = 0;; i++)
        {
          change (fixture);
          g_usleep (i % MAX_PAUSE_US);
        }
    }
  return pid;
}

static void
make_source (const PvFixture *fixture)
{
  static const char *const entries[] = {
    "source/folder/file",
    "source/file",
    "source/comes",
    "goes/file",
    "outside/here/above/file",
    "outside/secret",
    "source/to-outside>../outside",
    "source/to-secret>../outside/secret",
    NULL,
  };

  pv_fixture_make (fixture, entries);
  pv_fixture_write (fixture, "outside/secret", "secret");
  pv_fixture_write (fixture, "source/file", "file");
  g_assert_cmpint (mkfifoat (fixture->dir_fd, "source/fifo", 0600), ==, 0);
  for (guint i = 0; i < N_FOLDERS; i++)
    {
      g_autofree char *name = g_strdup_printf ("source/moved/here/%u/deeper/%u/file", i, i);

      g_autofree char *harmless = g_strdup_printf ("source/moved/secrets-%u/file", i);
      g_autofree char *secret = g_strdup_printf ("outside/secrets-%u/secret", i);

      pv_fixture_write (fixture, name, "");
      /* Who comes back from "here" must not take the outside for "moved". */
      pv_fixture_write (fixture, harmless, "");
      pv_fixture_write (fixture, secret, "");
    }
}

static void
assert_no_secret (int fd, guint depth)
{
  g_autofree char *path = pv_fd_get_path (fd);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      pv_autofd below = openat (fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
      char content[8];
      ssize_t got;

      g_assert_cmpstr (name, !=, "secret");
      /* A link cannot be opened so. */
      if (below < 0)
        continue;
      got = read (below, content, sizeof content);
      if (got < 0)
        assert_no_secret (below, depth + 1);
      else
        g_assert_false (got == 6 && memcmp (content, "secret", 6) == 0);
    }
}

static gboolean
is_expected (const GError *error)
{
  return g_error_matches (error, PV_ERROR, PV_ERROR_CHANGED)
         || g_error_matches (error, PV_ERROR, PV_ERROR_NOT_FOUND);
}

static void
copy_meanwhile (const PvFixture *fixture, PvTreeCopyKind kind)
{
  guint n_times = g_getenv ("PV_TEST_THOROUGH") != NULL ? N_TIMES_THOROUGH : N_TIMES;
  guint n_failed = 0;
  pid_t pid;

  make_source (fixture);
  pid = start_changing (fixture);
  for (guint i = 0; i < n_times; i++)
    {
      pv_autofd source = openat (fixture->dir_fd, "source", O_PATH | O_DIRECTORY | O_CLOEXEC);
      pv_autofd dest = pv_tree_make_at (fixture->dir_fd, "copy", 0700, NULL);
      g_autoptr (GError) error = NULL;

      if (!pv_tree_copy (source, dest, kind, NULL, NULL, &error))
        {
          n_failed++;
          if (!is_expected (error))
            g_error ("%s", error->message);
        }
      assert_no_secret (dest, 0);
      g_assert_true (pv_tree_remove_at (fixture->dir_fd, "copy", NULL));
    }
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_test_message ("%u of %u failed", n_failed, n_times);
}

static void
test_full (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  copy_meanwhile (fixture, PV_TREE_COPY_FULL);
}

static void
test_hardlink (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  copy_meanwhile (fixture, PV_TREE_COPY_HARDLINK);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/tree-copy-changes/full", test_full);
  pv_fixture_add ("/tree-copy-changes/hardlink", test_hardlink);
  return g_test_run ();
}
