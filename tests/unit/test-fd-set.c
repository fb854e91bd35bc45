/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "fixture.h"
#include "launch/fd-set.h"

#include <fcntl.h>
#include <string.h>

static void
release (gpointer lock)
{
  pv_lock_release (lock);
}

static gboolean
is_inherited (const PvFdSet *set, int fd)
{
  for (guint i = 0; i < set->inherited->len; i++)
    {
      if (g_array_index (set->inherited, int, i) == fd)
        return TRUE;
    }
  return FALSE;
}

static void
fill (const PvFixture *fixture, PvLaunchInput *input)
{
  PvPlan *plan = g_new0 (PvPlan, 1);
  PvLock *lock;

  pv_fixture_write (fixture, ".ref", "");
  lock = pv_lock_acquire_at (fixture->dir_fd, ".ref", PV_LOCK_SHARED, PV_LOCK_FLAGS_NONE, NULL,
                             NULL);
  g_assert_nonnull (lock);
  plan->mounts = pv_mounts_new ();
  pv_mounts_bind (plan->mounts, PV_MOUNT_BIND, "/srv", fixture->dir_fd, NULL, "/srv", "why");
  input->plan = plan;
  input->leases = g_ptr_array_new_with_free_func (release);
  input->pass_fds = g_array_new (FALSE, FALSE, sizeof (int));
  input->terminal = -1;
  g_ptr_array_add (input->leases, lock);
}

static void
clear (PvLaunchInput *input)
{
  pv_plan_free ((PvPlan *) input->plan);
  g_ptr_array_unref (input->leases);
  g_array_unref (input->pass_fds);
}

/* Each of the three holders has an open file description of its own, and nothing is inherited that
 * is not named. */
static void
test_leases (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  PvLaunchInput input = { .supervise = path };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvFdSet) set = NULL;
  int own, inside, program;

  fill (fixture, &input);
  set = pv_fd_set_new (&input, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (set->inside_leases->len, ==, 1);
  g_assert_cmpuint (set->program_leases->len, ==, 1);
  own = pv_lock_get_fd (input.leases->pdata[0]);
  inside = pv_lock_get_fd (set->inside_leases->pdata[0]);
  program = pv_lock_get_fd (set->program_leases->pdata[0]);

  g_assert_true (is_inherited (set, inside));
  g_assert_true (is_inherited (set, program));
  g_assert_true (is_inherited (set, fixture->dir_fd));
  g_assert_true (is_inherited (set, set->link_inside));
  g_assert_false (is_inherited (set, own));
  g_assert_false (is_inherited (set, set->link_outside));
  for (guint i = 0; i < set->inherited->len; i++)
    g_assert_cmpint (fcntl (g_array_index (set->inherited, int, i), F_GETFD), ==, FD_CLOEXEC);

  g_assert_cmpint (fcntl (program, F_OFD_SETLK, &unlock), ==, 0);
  g_assert_false (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  g_assert_cmpint (fcntl (own, F_OFD_SETLK, &unlock), ==, 0);
  g_assert_false (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  g_assert_cmpint (fcntl (inside, F_OFD_SETLK, &unlock), ==, 0);
  g_assert_true (pv_holder_would_get (path, PV_HOLD_OFD, TRUE));
  clear (&input);
}

static void
test_terminal (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  PvLaunchInput input = { .supervise = path };
  pv_autofd terminal = open ("/dev/null", O_RDWR | O_CLOEXEC);

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (PvFdSet) set = NULL;

      fill (fixture, &input);
      input.terminal = i == 0 ? -1 : terminal;
      set = pv_fd_set_new (&input, NULL);
      g_assert_nonnull (set);
      g_assert_cmpint (is_inherited (set, terminal), ==, i == 1);
      g_assert_false (is_inherited (set, -1));
      clear (&input);
    }
}

static void
test_strings (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  PvLaunchInput input = { .supervise = path };
  g_autoptr (GPtrArray) strings = g_ptr_array_new ();
  g_autoptr (PvFdSet) set = NULL;
  g_autofree char *text = NULL;
  gsize length;
  int fd;

  fill (fixture, &input);
  set = pv_fd_set_new (&input, NULL);
  g_ptr_array_add (strings, (char *) "--a");
  g_ptr_array_add (strings, (char *) "");
  g_ptr_array_add (strings, (char *) "b c");
  fd = pv_fd_set_add_strings (set, "args", strings, NULL);
  g_assert_true (is_inherited (set, fd));
  text = pv_fd_read_all (fd, 100, &length, NULL);
  g_assert_cmpmem (text, length, "--a\0\0b c\0", 9);
  clear (&input);
}

static void
test_no_supervisor (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, "nothing");
  PvLaunchInput input = { .supervise = path };
  g_autoptr (GError) error = NULL;

  fill (fixture, &input);
  g_assert_null (pv_fd_set_new (&input, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (pv_error_get_hint (error), "PV_LAUNCH_LIBEXECDIR"));
  clear (&input);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/fd-set/leases", test_leases);
  pv_fixture_add ("/fd-set/terminal", test_terminal);
  pv_fixture_add ("/fd-set/strings", test_strings);
  pv_fixture_add ("/fd-set/no-supervisor", test_no_supervisor);
  return g_test_run ();
}
