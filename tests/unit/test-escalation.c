/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "supervise/escalation.h"

/* A time that is not 0, as that of no machine that runs. */
#define START 1000

static const PvAction nobody = { .reach = PV_REACH_NOBODY };

static PvAction
to (PvReach reach, int number)
{
  return (PvAction) { .reach = reach, .number = number };
}

static void
assert_action (PvAction action, PvAction expected)
{
  g_assert_cmpint (action.reach, ==, expected.reach);
  g_assert_cmpint (action.number, ==, expected.number);
}

static void
assert_signal (PvEscalation *self, int number, int64_t now, PvAction expected)
{
  assert_action (pv_escalation_on_signal (self, number, now), expected);
}

static void
test_terms (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = -1 };

  assert_signal (&self, SIGTERM, START, to (PV_REACH_PROGRAM, SIGTERM));
  g_assert_cmpint (pv_escalation_get_timeout (&self, START), ==, -1);
  assert_signal (&self, SIGTERM, START + 200, to (PV_REACH_ALL, SIGTERM));
  g_assert_cmpint (pv_escalation_get_timeout (&self, START + 200), ==, -1);
  assert_signal (&self, SIGTERM, START + 400, to (PV_REACH_ALL, SIGKILL));
  assert_signal (&self, SIGTERM, START + 600, to (PV_REACH_ALL, SIGKILL));
}

/* What is born while others are killed is killed soon, as often as it takes. */
static void
test_kills_again (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = -1 };
  int64_t now = START;

  for (int i = 0; i < 3; i++, now += 1000)
    pv_escalation_on_signal (&self, SIGTERM, now);
  for (int i = 0; i < 3; i++)
    {
      int timeout = pv_escalation_get_timeout (&self, now);

      g_assert_cmpint (timeout, >=, 0);
      g_assert_cmpint (timeout, <=, 100);
      now += timeout;
      assert_action (pv_escalation_on_time (&self, now), to (PV_REACH_ALL, SIGKILL));
      g_assert_cmpint (pv_escalation_get_timeout (&self, now), >, 0);
    }
  pv_escalation_on_program_ended (&self, now);
  g_assert_cmpint (pv_escalation_get_timeout (&self, now), >, 0);
}

static void
test_same_again (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const int kinds[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      PvEscalation self = { .terminate_ms = -1 };
      PvReach then = kinds[i] == SIGTERM ? PV_REACH_ALL : PV_REACH_PROGRAM;

      assert_signal (&self, kinds[i], START, to (PV_REACH_PROGRAM, kinds[i]));
      assert_signal (&self, kinds[i], START, nobody);
      assert_signal (&self, kinds[i], START + 199, nobody);
      assert_signal (&self, kinds[i], START + 200, to (then, kinds[i]));
      /* Counted from the one that counted. */
      assert_signal (&self, kinds[i], START + 399, nobody);
    }
}

static void
test_kinds_are_apart (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const int kinds[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
  PvEscalation self = { .terminate_ms = -1 };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    assert_signal (&self, kinds[i], START, to (PV_REACH_PROGRAM, kinds[i]));
  /* An interrupt is no step on the way to the kill. */
  for (int i = 1; i < 10; i++)
    assert_signal (&self, SIGINT, START + i * 200, to (PV_REACH_PROGRAM, SIGINT));
  assert_signal (&self, SIGTERM, START + 2000, to (PV_REACH_ALL, SIGTERM));
}

static void
test_others_are_never_the_same (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const int kinds[] = { SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };
  PvEscalation self = { .terminate_ms = -1 };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      for (int j = 0; j < 3; j++)
        assert_signal (&self, kinds[i], START, to (PV_REACH_PROGRAM, kinds[i]));
    }
}

static void
test_program_ended (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const int for_all[] = { SIGHUP, SIGINT, SIGQUIT, SIGCONT };
  static const int for_nobody[] = { SIGUSR1, SIGUSR2, SIGWINCH };
  PvEscalation self = { .terminate_ms = -1 };

  pv_escalation_on_program_ended (&self, START);
  for (gsize i = 0; i < G_N_ELEMENTS (for_all); i++)
    assert_signal (&self, for_all[i], START, to (PV_REACH_ALL, for_all[i]));
  for (gsize i = 0; i < G_N_ELEMENTS (for_nobody); i++)
    assert_signal (&self, for_nobody[i], START, nobody);

  /* There is no program any more that the first could be for. */
  assert_signal (&self, SIGTERM, START, to (PV_REACH_ALL, SIGTERM));
  assert_signal (&self, SIGTERM, START + 100, nobody);
  assert_signal (&self, SIGTERM, START + 200, to (PV_REACH_ALL, SIGKILL));
}

static void
test_program_ended_by_the_first (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = -1 };

  assert_signal (&self, SIGTERM, START, to (PV_REACH_PROGRAM, SIGTERM));
  pv_escalation_on_program_ended (&self, START + 1);
  assert_signal (&self, SIGTERM, START + 2, nobody);
  assert_signal (&self, SIGTERM, START + 200, to (PV_REACH_ALL, SIGTERM));
  assert_signal (&self, SIGTERM, START + 400, to (PV_REACH_ALL, SIGKILL));
}

static void
test_no_time_limit (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = -1, .idle_ms = 5 };

  g_assert_cmpint (pv_escalation_get_timeout (&self, START), ==, -1);
  pv_escalation_on_program_ended (&self, START);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START), ==, -1);
  assert_action (pv_escalation_on_time (&self, START + 1000000), nobody);
}

static void
test_time_limits (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = 3000, .idle_ms = 500 };

  assert_action (pv_escalation_on_time (&self, START + 1000000), nobody);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START), ==, -1);

  pv_escalation_on_program_ended (&self, START);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START), ==, 500);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START + 499), ==, 1);
  assert_action (pv_escalation_on_time (&self, START + 499), nobody);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START + 700), ==, 0);

  assert_action (pv_escalation_on_time (&self, START + 500), to (PV_REACH_ALL, SIGTERM));
  g_assert_cmpint (pv_escalation_get_timeout (&self, START + 500), ==, 3000);
  assert_action (pv_escalation_on_time (&self, START + 3499), nobody);
  assert_action (pv_escalation_on_time (&self, START + 3500), to (PV_REACH_ALL, SIGKILL));
  g_assert_cmpint (pv_escalation_get_timeout (&self, START + 3500), >, 0);
  assert_action (pv_escalation_on_time (&self, START + 4000), to (PV_REACH_ALL, SIGKILL));
}

static void
test_kill_without_asking (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = 0, .idle_ms = 0 };
  PvEscalation idle = { .terminate_ms = 0, .idle_ms = 100 };

  pv_escalation_on_program_ended (&self, START);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START), ==, 0);
  assert_action (pv_escalation_on_time (&self, START), to (PV_REACH_ALL, SIGKILL));

  pv_escalation_on_program_ended (&idle, START);
  assert_action (pv_escalation_on_time (&idle, START + 99), nobody);
  assert_action (pv_escalation_on_time (&idle, START + 100), to (PV_REACH_ALL, SIGKILL));
}

/* What is known twice, from the supervisor inside and from waitpid(2), has begun with the first. */
static void
test_ended_twice (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = 3000, .idle_ms = 500 };

  pv_escalation_on_program_ended (&self, START);
  pv_escalation_on_program_ended (&self, START + 400);
  assert_action (pv_escalation_on_time (&self, START + 500), to (PV_REACH_ALL, SIGTERM));
  pv_escalation_on_program_ended (&self, START + 600);
  g_assert_cmpint (pv_escalation_get_timeout (&self, START + 600), ==, 2900);
}

/* Signals do not wait for the clock, and it does not wait for them. */
static void
test_signals_and_time (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  PvEscalation self = { .terminate_ms = 3000, .idle_ms = 500 };

  pv_escalation_on_program_ended (&self, START);
  assert_signal (&self, SIGTERM, START + 100, to (PV_REACH_ALL, SIGTERM));
  assert_action (pv_escalation_on_time (&self, START + 500), to (PV_REACH_ALL, SIGTERM));
  assert_signal (&self, SIGTERM, START + 1000, to (PV_REACH_ALL, SIGKILL));
  assert_action (pv_escalation_on_time (&self, START + 1100), to (PV_REACH_ALL, SIGKILL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/escalation/terms", test_terms);
  pv_fixture_add ("/escalation/kills-again", test_kills_again);
  pv_fixture_add ("/escalation/same-again", test_same_again);
  pv_fixture_add ("/escalation/kinds-are-apart", test_kinds_are_apart);
  pv_fixture_add ("/escalation/others-are-never-the-same", test_others_are_never_the_same);
  pv_fixture_add ("/escalation/program-ended", test_program_ended);
  pv_fixture_add ("/escalation/program-ended-by-the-first", test_program_ended_by_the_first);
  pv_fixture_add ("/escalation/no-time-limit", test_no_time_limit);
  pv_fixture_add ("/escalation/time-limits", test_time_limits);
  pv_fixture_add ("/escalation/kill-without-asking", test_kill_without_asking);
  pv_fixture_add ("/escalation/ended-twice", test_ended_twice);
  pv_fixture_add ("/escalation/signals-and-time", test_signals_and_time);
  return g_test_run ();
}
