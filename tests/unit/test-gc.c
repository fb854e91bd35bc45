/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "child.h"
#include "copy/gc.h"
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a digest, all but the last. */
#define DIGITS "0123456789abcdef0123456789abcde"
#define BASE "base-" DIGITS
#define STAGING ".new-" DIGITS

static GPtrArray *
clean (const PvFixture *fixture, gboolean dry_run)
{
  g_autoptr (PvMounted) mounted = pv_mounted_new ();
  g_autoptr (GError) error = NULL;
  GPtrArray *found = pv_gc_clean (fixture->path, mounted, dry_run, &error);

  g_assert_no_error (error);
  return found;
}

static void
assert_outcome (const PvFixture *fixture, const GPtrArray *found, const char *name,
                PvGcOutcome outcome)
{
  for (guint i = 0; i < found->len; i++)
    {
      const PvGcEntry *entry = found->pdata[i];
      const char *slash = strrchr (entry->path, '/');

      if (strcmp (slash + 1, name) != 0)
        continue;
      g_assert_cmpstr (pv_gc_outcome_to_string (entry->outcome), ==,
                       pv_gc_outcome_to_string (outcome));
      g_assert_cmpint (pv_fixture_exists (fixture, name), ==, outcome != PV_GC_REMOVED);
      return;
    }
  g_error ("Nothing was said about %s", name);
}

/* What crashes and others leave. */
static void
test_leftovers (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = {
    ".ref", "base-x/file", ".new-x/file", BASE "1/usr/.ref", BASE "1/manifest>nowhere",
    BASE "2/manifest>/nowhere/at/all", STAGING "1/usr/.ref", STAGING "2/usr/file",
    ".new-0123456789abcdef/",
    "tmp-whole/usr/.ref", "tmp-whole/.ref>usr/.ref", "tmp-whole/work/work/incompat/",
    "tmp-root/usr/.ref", "tmp-dangling/.ref>usr/.ref", "tmp-empty/", "tmp-\xff/usr/\xfe/.ref",
    "tmp-file/.ref", "tmp-both/.ref", "tmp-both/usr/.ref",
    "tmp-out/usr>../victim", "tmp-out/.ref>../victim/.ref", "tmp-folder/usr/.ref/",
    "victim/.ref", "victim/file",
    "tmp-keep/keep>nowhere", "tmp-keep/usr/.ref",
    "tmp-link>victim", "tmp-plain", ".trash-link>victim", ".trash-a00000/file",
    ".trash-whole0/old", "other",
    /* Of the user's own. */
    "tmp-thesis/chapter", "tmp-sysroot/share/x", "tmp-sysroot/.ref", ".trash-mine/letter",
    NULL,
  };
  static const char *const removed[] = {
    "tmp-whole", "tmp-root", "tmp-dangling", "tmp-empty", "tmp-\xff", "tmp-file", "tmp-both",
    "tmp-out", "tmp-folder", ".trash-a00000", ".trash-whole0", BASE "1", BASE "2", STAGING "1",
    STAGING "2", ".new-0123456789abcdef",
  };
  static const char *const foreign[]
    = { "tmp-link", "tmp-plain", ".trash-link", "other", "victim", "base-x", ".new-x", "tmp-thesis",
        "tmp-sysroot", ".trash-mine" };
  g_autofree char *closed = pv_fixture_path (fixture, "tmp-whole/work/work");
  g_autoptr (GPtrArray) planned = NULL;
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GPtrArray) again = NULL;

  pv_fixture_make (fixture, entries);
  g_assert_cmpint (chmod (closed, 0), ==, 0);

  planned = clean (fixture, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (removed); i++)
    g_assert_true (pv_fixture_exists (fixture, removed[i]));
  found = clean (fixture, FALSE);
  g_assert_cmpuint (planned->len, ==, found->len);
  g_assert_cmpuint (found->len, ==, G_N_ELEMENTS (removed) + G_N_ELEMENTS (foreign) + 1);
  for (gsize i = 0; i < G_N_ELEMENTS (removed); i++)
    assert_outcome (fixture, found, removed[i], PV_GC_REMOVED);
  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++)
    assert_outcome (fixture, found, foreign[i], PV_GC_NOT_OURS);
  assert_outcome (fixture, found, "tmp-keep", PV_GC_KEPT);
  g_assert_true (pv_fixture_exists (fixture, "victim/file"));
  g_assert_true (pv_fixture_exists (fixture, "victim/.ref"));
  g_assert_true (pv_fixture_exists (fixture, "base-x/file"));
  g_assert_true (pv_fixture_exists (fixture, "tmp-thesis/chapter"));
  g_assert_true (pv_fixture_exists (fixture, "tmp-sysroot/share/x"));
  g_assert_true (pv_fixture_exists (fixture, ".trash-mine/letter"));
  g_assert_true (pv_fixture_exists (fixture, ".new-x/file"));

  again = clean (fixture, FALSE);
  g_assert_cmpuint (again->len, ==, G_N_ELEMENTS (foreign) + 1);
}

/* Whichever of the two it is; a lock outside the copy is nobody's here. */
static void
test_locked (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[]
    = { ".ref", "tmp-a/usr/.ref", "tmp-a/.ref", "tmp-b/usr/.ref>../../victim", "victim", NULL };
  static const char *const files[] = { "tmp-a/usr/.ref", "tmp-a/.ref" };
  g_autofree char *victim = pv_fixture_path (fixture, "victim");
  PvHolder outside;

  pv_fixture_make (fixture, entries);
  outside = pv_holder_start (victim, PV_HOLD_OFD, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = pv_fixture_path (fixture, files[i]);
      PvHolder holder
        = pv_holder_start (path, i == 0 ? PV_HOLD_OFD : PV_HOLD_POSIX, FALSE);
      g_autoptr (GPtrArray) found = clean (fixture, FALSE);

      assert_outcome (fixture, found, "tmp-a", PV_GC_IN_USE);
      g_assert_false (pv_fixture_exists (fixture, "tmp-b"));
      pv_holder_stop (&holder);
    }
  pv_holder_stop (&outside);
  {
    g_autoptr (GPtrArray) found = clean (fixture, FALSE);

    assert_outcome (fixture, found, "tmp-a", PV_GC_REMOVED);
  }
}

/* Somebody sets up a copy: nothing is touched, but for what is trash already. */
static void
test_busy (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { ".ref", "tmp-a/usr/.ref", ".trash-b00000/file", NULL };
  g_autofree char *path = pv_fixture_path (fixture, ".ref");
  g_autoptr (GPtrArray) found = NULL;
  PvHolder holder;
  const PvGcEntry *entry;

  pv_fixture_make (fixture, entries);
  holder = pv_holder_start (path, PV_HOLD_OFD, FALSE);
  found = clean (fixture, FALSE);
  pv_holder_stop (&holder);
  g_assert_cmpuint (found->len, ==, 2);
  entry = found->pdata[0];
  g_assert_cmpstr (entry->path, ==, fixture->path);
  g_assert_cmpint (entry->outcome, ==, PV_GC_IN_USE);
  g_assert_true (pv_fixture_exists (fixture, "tmp-a"));
  assert_outcome (fixture, found, ".trash-b00000", PV_GC_REMOVED);
}

/* A wrong folder was named. */
static void
test_unknown (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { "tmp-a/file", "tmp-b/usr/.ref", ".trash-c00000/file", NULL };
  g_autoptr (GPtrArray) found = NULL;

  pv_fixture_make (fixture, entries);
  found = clean (fixture, FALSE);
  assert_outcome (fixture, found, "tmp-a", PV_GC_NOT_OURS);
  assert_outcome (fixture, found, ".trash-c00000", PV_GC_NOT_OURS);
  assert_outcome (fixture, found, "tmp-b", PV_GC_REMOVED);
  g_assert_false (pv_fixture_exists (fixture, ".ref"));
}

/* What was read before any lock, and keeps it from being renamed. */
static void
test_mounted (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const entries[] = { ".ref", "tmp-a/usr/.ref", NULL };
  g_autoptr (PvMounted) mounted = pv_mounted_new ();
  g_autoptr (PvPlace) place = pv_place_of (fixture->dir_fd);
  g_autofree char *line = g_strdup_printf ("9 1 0:0 / %s/tmp-a/m rw - overlay x rw\n", place->path);
  g_autoptr (GPtrArray) found = NULL;
  const PvGcEntry *entry;

  pv_fixture_make (fixture, entries);
  pv_mounted_add (mounted, 4711, TRUE, line);
  found = pv_gc_clean (fixture->path, mounted, FALSE, NULL);
  assert_outcome (fixture, found, "tmp-a", PV_GC_MOUNTED);
  entry = found->pdata[0];
  g_assert_cmpint (g_array_index (entry->pids, pid_t, 0), ==, 4711);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/gc/leftovers", test_leftovers);
  pv_fixture_add ("/gc/locked", test_locked);
  pv_fixture_add ("/gc/busy", test_busy);
  pv_fixture_add ("/gc/unknown", test_unknown);
  pv_fixture_add ("/gc/mounted", test_mounted);
  return g_test_run ();
}
