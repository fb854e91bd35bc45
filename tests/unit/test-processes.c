/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "child.h"
#include "fixture.h"
#include "supervise/processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Code that is broken sends it to whoever runs, and nobody dies of it. */
#define HARMLESS SIGURG

/**
 * Family: processes that write who they are when they are there, and when the signal comes; they
 * end with the one that made them.
 * @life: a pipe whose end they wait for
 * @reports: a pipe: pids; negative: of one that has got the signal
 */
typedef struct
{
  int life[2];
  int reports[2];
} Family;

static Family family;

static void
report_signal (int number G_GNUC_UNUSED)
{
  int report = -getpid ();

  if (write (family.reports[1], &report, sizeof report) != sizeof report)
    _exit (1);
}

static int
read_report (void)
{
  int report;

  g_assert_cmpint (TEMP_FAILURE_RETRY (read (family.reports[0], &report, sizeof report)), ==,
                   sizeof report);
  return report;
}

static void
open_family (void)
{
  g_assert_cmpint (pipe2 (family.life, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (family.reports, O_CLOEXEC), ==, 0);
  signal (HARMLESS, report_signal);
}

/* Says that it is there. */
static void
report (void)
{
  int pid = getpid ();

  if (write (family.reports[1], &pid, sizeof pid) != sizeof pid)
    _exit (1);
}

/* Ends with whoever has the other end of the pipe. */
static void
stay (void)
{
  char byte;

  close (family.life[1]);
  while (read (family.life[0], &byte, 1) < 0)
    ;
  _exit (0);
}

static void
live (void)
{
  report ();
  stay ();
}

/* A process that has a child, that has a child …  @pids: from the outermost on */
static void
add_line (int depth, const char *name, int *pids)
{
  g_assert_cmpint (depth, >, 0);
  for (int i = 0; i < depth; i++)
    {
      pid_t pid = fork ();

      if (i == 0 && pid > 0)
        {
          for (int j = 0; j < depth; j++)
            pids[j] = read_report ();
          return;
        }
      if (pid > 0)
        stay ();
      if (name != NULL)
        prctl (PR_SET_NAME, name);
      /* Before the next one is there: so they come in this order. */
      report ();
    }
  stay ();
}

static gboolean
contains (const int *pids, int count, int pid)
{
  for (int i = 0; i < count; i++)
    {
      if (pids[i] == pid)
        return TRUE;
    }
  return FALSE;
}

/* All of @pids get the signal, and nobody else, not even this process. */
static void
assert_reached (const PvPids *but, const int *pids, int count)
{
  int last = 0;
  int flags;

  pv_processes_signal_descendants (but, HARMLESS);
  for (int i = 0; i < count; i++)
    {
      int report = read_report ();

      g_assert_cmpint (report, !=, last);
      g_assert_true (contains (pids, count, -report));
      last = report;
    }

  flags = fcntl (family.reports[0], F_GETFL);
  fcntl (family.reports[0], F_SETFL, flags | O_NONBLOCK);
  /* Who was to be reached has been; another one would be about to say so. */
  g_usleep (20 * 1000);
  g_assert_cmpint (read (family.reports[0], &last, sizeof last), <, 0);
  fcntl (family.reports[0], F_SETFL, flags);
}

static int
check_depths (gconstpointer data G_GNUC_UNUSED)
{
  int pids[9];

  open_family ();
  add_line (1, NULL, pids);
  add_line (3, NULL, pids + 1);
  add_line (5, NULL, pids + 4);
  assert_reached (NULL, pids, 9);
  g_assert_true (pv_processes_has_children (NULL));
  return 0;
}

/* Their line in /proc looks as if it went on elsewhere. */
static int
check_names (gconstpointer data G_GNUC_UNUSED)
{
  int pids[6];

  open_family ();
  add_line (2, ") Z 1 (", pids);
  add_line (2, "a) R 1 1 1", pids + 2);
  add_line (1, "a b (c", pids + 4);
  add_line (1, ")", pids + 5);
  g_assert_true (pv_processes_has_children (NULL));
  assert_reached (NULL, pids, 6);
  return 0;
}

static int
check_left_alone (gconstpointer data G_GNUC_UNUSED)
{
  PvPids but = { .count = 0 };
  int pids[8];

  open_family ();
  add_line (3, NULL, pids);
  but.pids[but.count++] = pids[0];
  g_assert_true (pv_processes_has_children (NULL));
  g_assert_false (pv_processes_has_children (&but));
  assert_reached (&but, NULL, 0);

  add_line (2, NULL, pids + 3);
  add_line (3, NULL, pids + 5);
  g_assert_true (pv_processes_has_children (&but));
  assert_reached (&but, pids + 3, 5);
  but.pids[but.count++] = pids[5];
  assert_reached (&but, pids + 3, 2);

  /* Only children are meant: one that is further down is no exception. */
  but.count = 0;
  but.pids[but.count++] = pids[1];
  assert_reached (&but, pids, 8);
  return 0;
}

static int
check_ended (gconstpointer data G_GNUC_UNUSED)
{
  siginfo_t info;
  pid_t pid;

  open_family ();
  g_assert_false (pv_processes_has_children (NULL));
  pid = fork ();
  if (pid == 0)
    _exit (3);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), ==, 0);
  g_assert_false (pv_processes_has_children (NULL));
  assert_reached (NULL, NULL, 0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  return 0;
}

/* Those whose parent has ended come to the next subreaper. */
static int
check_orphans (gconstpointer data G_GNUC_UNUSED)
{
  int pids[3];
  pid_t middle;

  open_family ();
  g_assert_cmpint (prctl (PR_SET_CHILD_SUBREAPER, 1), ==, 0);
  middle = fork ();
  if (middle == 0)
    {
      for (int i = 0; i < 3; i++)
        {
          if (fork () == 0)
            live ();
        }
      _exit (0);
    }
  g_assert_cmpint (waitpid (middle, NULL, 0), ==, middle);
  for (int i = 0; i < 3; i++)
    pids[i] = read_report ();
  g_assert_true (pv_processes_has_children (NULL));
  assert_reached (NULL, pids, 3);
  return 0;
}

/* A stopped process is one like any other. */
static int
check_stopped (gconstpointer data G_GNUC_UNUSED)
{
  int pids[2];
  siginfo_t info;

  open_family ();
  add_line (2, NULL, pids);
  kill (pids[0], SIGSTOP);
  g_assert_cmpint (waitid (P_PID, (id_t) pids[0], &info, WSTOPPED), ==, 0);
  g_assert_true (pv_processes_has_children (NULL));
  pv_processes_signal_descendants (NULL, HARMLESS);
  g_assert_cmpint (read_report (), ==, -pids[1]);
  pv_processes_signal_descendants (NULL, SIGCONT);
  g_assert_cmpint (read_report (), ==, -pids[0]);
  return 0;
}

static int
signal_all (gconstpointer data G_GNUC_UNUSED)
{
  assert_reached (NULL, NULL, 0);
  return 0;
}

/* A brother, the parent, and what lives below the brother. */
static int
check_others (gconstpointer data G_GNUC_UNUSED)
{
  int pids[3];

  open_family ();
  add_line (3, NULL, pids);
  g_assert_cmpint (pv_child_run (signal_all, NULL), ==, 0);
  return 0;
}

static void
test_in_child (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data)
{
  const PvChildFunc *func = data;

  g_assert_cmpint (pv_child_run (*func, NULL), ==, 0);
}

static void
assert_pids (const PvPids *pids, int first, int second, int third)
{
  const int expected[] = { first, second, third };

  for (gsize i = 0; i < pids->count; i++)
    g_assert_cmpint (pids->pids[i], ==, expected[i]);
}

static void
test_pids (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static PvPids pids;
  g_autoptr (GString) text = g_string_new (NULL);

  pv_pids_parse (&pids, "");
  g_assert_cmpuint (pids.count, ==, 0);
  pv_pids_parse (&pids, "17");
  g_assert_cmpuint (pids.count, ==, 1);
  assert_pids (&pids, 17, 0, 0);
  pv_pids_parse (&pids, "17 4194304  3 ");
  g_assert_cmpuint (pids.count, ==, 3);
  assert_pids (&pids, 17, 4194304, 3);

  pv_pids_remove (&pids, 5);
  g_assert_cmpuint (pids.count, ==, 3);
  pv_pids_remove (&pids, 17);
  g_assert_cmpuint (pids.count, ==, 2);
  g_assert_true (contains (pids.pids, 2, 3));
  g_assert_true (contains (pids.pids, 2, 4194304));
  pv_pids_parse (&pids, "3 3 3");
  pv_pids_remove (&pids, 3);
  g_assert_cmpuint (pids.count, ==, 0);

  for (int i = 1; i < 2 * PV_MAX_PIDS; i++)
    g_string_append_printf (text, "%d ", i);
  pv_pids_parse (&pids, text->str);
  g_assert_cmpuint (pids.count, ==, PV_MAX_PIDS);
  g_assert_cmpint (pids.pids[PV_MAX_PIDS - 1], ==, PV_MAX_PIDS);
}

static void
add (const char *name, const PvChildFunc *func)
{
  g_test_add (name, PvFixture, func, pv_fixture_set_up, test_in_child, pv_fixture_tear_down);
}

int
main (int argc, char **argv)
{
  static const PvChildFunc depths = check_depths, names = check_names, stopped = check_stopped;
  static const PvChildFunc left_alone = check_left_alone, ended = check_ended;
  static const PvChildFunc orphans = check_orphans, others = check_others;

  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/processes/pids", test_pids);
  add ("/processes/depths", &depths);
  add ("/processes/names", &names);
  add ("/processes/left-alone", &left_alone);
  add ("/processes/ended", &ended);
  add ("/processes/orphans", &orphans);
  add ("/processes/stopped", &stopped);
  add ("/processes/others", &others);
  return g_test_run ();
}
