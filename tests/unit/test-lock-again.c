/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking again after locking: what names lead to changes while nobody holds a lock. */
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "fixture.h"
#include "lock/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOOK "PV_LAUNCH_TEST_LOCK_WINDOW"

/**
 * Intruder: a process that changes something each time the code under test is between two looks.
 * @times: how often it acts; afterwards it only lets the code go on
 */
typedef struct
{
  pid_t pid;
  int in;
  int out;
} Intruder;

typedef void (*Act) (const PvFixture *fixture);

static void
serve (const PvFixture *fixture, Act act, int times, int in, int out)
{
  char byte;

  while (read (in, &byte, 1) == 1)
    {
      if (times != 0)
        {
          act (fixture);
          times--;
        }
      if (write (out, "g", 1) != 1)
        break;
    }
  _exit (0);
}

static Intruder
intrude (const PvFixture *fixture, const char *when, Act act, int times)
{
  Intruder intruder;
  int there[2], back[2];
  g_autofree char *hook = NULL;

  g_assert_cmpint (pipe2 (there, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (back, O_CLOEXEC), ==, 0);
  intruder.pid = fork ();
  if (intruder.pid == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      close (there[1]);
      serve (fixture, act, times, there[0], back[1]);
    }
  close (there[0]);
  close (back[1]);
  intruder.out = there[1];
  intruder.in = back[0];
  hook = g_strdup_printf ("%s:%d:%d", when, intruder.out, intruder.in);
  g_setenv (HOOK, hook, TRUE);
  return intruder;
}

static void
stop_intruder (Intruder *intruder)
{
  g_unsetenv (HOOK);
  pv_fd_clear (&intruder->out);
  pv_fd_clear (&intruder->in);
  g_assert_cmpint (waitpid (intruder->pid, NULL, 0), ==, intruder->pid);
}

static int
open_runtime (gconstpointer data, GError **error)
{
  const PvFixture *fixture = data;
  int fd = openat (fixture->dir_fd, "runtime", O_PATH | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    pv_error_set (error, PV_ERROR_NOT_FOUND, "Cannot open \"runtime\"");
  return fd;
}

static gboolean
yes (int folder_fd G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  return TRUE;
}

static PvLock *
acquire (const PvFixture *fixture, PvLockFlags flags, int *ret_folder_fd, GError **error)
{
  const PvLockFolder folder = {
    .open = open_runtime,
    .may_create = flags & PV_LOCK_CREATE ? yes : NULL,
    .data = fixture,
  };
  const PvLockWait wait = { .timeout_ms = 20 * 1000 };

  return pv_lock_acquire (&folder, ".ref", PV_LOCK_SHARED, &wait, ret_folder_fd, error);
}

static gboolean
is_file (int fd, const PvFixture *fixture, const char *name)
{
  struct stat held, named;

  return fstat (fd, &held) == 0 && fstatat (fixture->dir_fd, name, &named, 0) == 0
         && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static void
replace_file (const PvFixture *fixture)
{
  pv_fixture_write (fixture, "runtime/new", "");
  renameat (fixture->dir_fd, "runtime/new", fixture->dir_fd, "runtime/.ref");
}

static void
delete_file (const PvFixture *fixture)
{
  unlinkat (fixture->dir_fd, "runtime/.ref", 0);
}

static void
exchange_folder (const PvFixture *fixture)
{
  static const char *const made[] = { "new/.ref", NULL };

  pv_fixture_make (fixture, made);
  renameat2 (fixture->dir_fd, "new", fixture->dir_fd, "runtime", RENAME_EXCHANGE);
}

static void
exchange_for_empty (const PvFixture *fixture)
{
  mkdirat (fixture->dir_fd, "new", 0755);
  renameat2 (fixture->dir_fd, "new", fixture->dir_fd, "runtime", RENAME_EXCHANGE);
}

static void
take_folder_away (const PvFixture *fixture)
{
  renameat (fixture->dir_fd, "runtime", fixture->dir_fd, "trash");
}

/* The lock that counts is on the file that the name now means. */
static void
test_replaced (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  intruder = intrude (fixture, "opened", replace_file, 3);
  lock = acquire (fixture, PV_LOCK_FLAGS_NONE, &folder_fd, &error);
  stop_intruder (&intruder);
  g_assert_no_error (error);
  g_assert_true (is_file (pv_lock_get_fd (lock), fixture, "runtime/.ref"));
}

static void
test_replaced_at (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  g_autoptr (GError) error = NULL;
  pv_autofd folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  folder_fd = open_runtime (fixture, NULL);
  intruder = intrude (fixture, "opened", replace_file, 1);
  g_assert_null (pv_lock_acquire_at (folder_fd, ".ref", PV_LOCK_SHARED, PV_LOCK_FLAGS_NONE, NULL,
                                     &error));
  stop_intruder (&intruder);
  g_assert_error (error, PV_ERROR, PV_ERROR_CHANGED);
}

/* Somebody who does it again and again is not waited for for ever. */
static void
test_replaced_always (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  g_autoptr (GError) error = NULL;
  int folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  intruder = intrude (fixture, "opened", replace_file, -1);
  g_assert_null (acquire (fixture, PV_LOCK_FLAGS_NONE, &folder_fd, &error));
  stop_intruder (&intruder);
  g_assert_error (error, PV_ERROR, PV_ERROR_CHANGED);
  g_assert_cmpint (folder_fd, ==, -1);
}

static void
test_deleted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  g_autoptr (GError) error = NULL;
  int folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  intruder = intrude (fixture, "opened", delete_file, 1);
  g_assert_null (acquire (fixture, PV_LOCK_FLAGS_NONE, &folder_fd, &error));
  stop_intruder (&intruder);
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
}

static void
test_exchanged (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  intruder = intrude (fixture, "opened", exchange_folder, 1);
  lock = acquire (fixture, PV_LOCK_FLAGS_NONE, &folder_fd, &error);
  stop_intruder (&intruder);
  g_assert_no_error (error);
  g_assert_true (is_file (pv_lock_get_fd (lock), fixture, "runtime/.ref"));
  g_assert_false (is_file (pv_lock_get_fd (lock), fixture, "new/.ref"));
  g_assert_true (is_file (folder_fd, fixture, "runtime"));
}

/* Nothing is created in a folder that the name no longer leads to. */
static void
test_exchanged_before_creation (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/", NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  intruder = intrude (fixture, "missing", exchange_for_empty, 1);
  lock = acquire (fixture, PV_LOCK_CREATE, &folder_fd, &error);
  stop_intruder (&intruder);
  g_assert_no_error (error);
  g_assert_true (pv_fixture_exists (fixture, "runtime/.ref"));
  g_assert_false (pv_fixture_exists (fixture, "new/.ref"));
}

static void
test_gone (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/", NULL };
  g_autoptr (GError) error = NULL;
  int folder_fd = -1;
  Intruder intruder;

  pv_fixture_make (fixture, made);
  intruder = intrude (fixture, "missing", take_folder_away, 1);
  g_assert_null (acquire (fixture, PV_LOCK_CREATE, &folder_fd, &error));
  stop_intruder (&intruder);
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_assert_false (pv_fixture_exists (fixture, "trash/.ref"));
}

/* An updater renames the folder away while it holds the lock, and never lets go of that one: who
 * waits for it must notice that another folder is meant. */
static void
test_exchanged_while_waiting (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  g_autofree char *path = pv_fixture_path (fixture, "runtime/.ref");
  g_autoptr (GError) error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd folder_fd = -1;
  gint64 started = g_get_monotonic_time ();
  PvHolder holder;
  pid_t updater;

  pv_fixture_make (fixture, made);
  holder = pv_holder_start (path, PV_HOLD_OFD, TRUE);
  updater = fork ();
  if (updater == 0)
    {
      g_usleep (50 * 1000);
      exchange_folder (fixture);
      _exit (0);
    }
  lock = acquire (fixture, PV_LOCK_FLAGS_NONE, &folder_fd, &error);
  g_assert_cmpint (g_get_monotonic_time () - started, <, 10 * 1000 * 1000);
  g_assert_cmpint (waitpid (updater, NULL, 0), ==, updater);
  pv_holder_stop (&holder);
  g_assert_no_error (error);
  g_assert_true (is_file (pv_lock_get_fd (lock), fixture, "runtime/.ref"));
}

static void
count (const char *path G_GNUC_UNUSED, PvLockMode mode G_GNUC_UNUSED, int holder G_GNUC_UNUSED,
       gpointer data)
{
  (*(int *) data)++;
}

/* The time counts for all attempts together, and who waits says so once. */
static void
test_timeout (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "runtime/.ref", NULL };
  const PvLockFolder folder = { .open = open_runtime, .data = fixture };
  g_autofree char *path = pv_fixture_path (fixture, "runtime/.ref");
  int told = 0;
  const PvLockWait wait = { .timeout_ms = 600, .on_wait = count, .data = &told };
  const PvLockWait never = { .timeout_ms = PV_LOCK_NEVER_WAIT, .on_wait = count, .data = &told };
  g_autoptr (GError) error = NULL;
  int folder_fd = -1;
  gint64 started;
  PvHolder holder;

  pv_fixture_make (fixture, made);
  holder = pv_holder_start (path, PV_HOLD_POSIX, TRUE);
  g_assert_null (pv_lock_acquire (&folder, ".ref", PV_LOCK_SHARED, &never,
                                  &folder_fd, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_cmpint (told, ==, 0);

  started = g_get_monotonic_time ();
  g_assert_null (pv_lock_acquire (&folder, ".ref", PV_LOCK_SHARED, &wait,
                                  &folder_fd, &error));
  g_assert_cmpint (g_get_monotonic_time () - started, >=, 590 * 1000);
  g_assert_error (error, PV_ERROR, PV_ERROR_BUSY);
  g_assert_cmpint (told, ==, 1);
  pv_holder_stop (&holder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/lock-again/replaced", test_replaced);
  pv_fixture_add ("/lock-again/replaced-at", test_replaced_at);
  pv_fixture_add ("/lock-again/replaced-always", test_replaced_always);
  pv_fixture_add ("/lock-again/deleted", test_deleted);
  pv_fixture_add ("/lock-again/exchanged", test_exchanged);
  pv_fixture_add ("/lock-again/exchanged-before-creation", test_exchanged_before_creation);
  pv_fixture_add ("/lock-again/gone", test_gone);
  pv_fixture_add ("/lock-again/exchanged-while-waiting", test_exchanged_while_waiting);
  pv_fixture_add ("/lock-again/timeout", test_timeout);
  return g_test_run ();
}
