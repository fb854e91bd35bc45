/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/dir.h"
#include "base/error.h"
#include "base/fd.h"
#include "fixture.h"
#include "runtime/staging.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const PvMetadata scout = { .name = (char *) "scout" };

static PvStaging *
begin (const PvFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  PvStaging *staging = pv_staging_open (fixture->path, "scout", &error);

  g_assert_no_error (error);
  g_assert_true (pv_staging_begin (staging, &error));
  g_assert_no_error (error);
  return staging;
}

static guint
count (const PvFixture *fixture, const char *name)
{
  pv_autofd fd = openat (fixture->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GPtrArray) entries = pv_dir_list (fd, NULL);

  g_assert_nonnull (entries);
  return entries->len;
}

static void
test_commit (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvStaging) first = begin (fixture);
  g_autoptr (PvStaging) second = begin (fixture);
  g_autoptr (GError) error = NULL;
  g_autofree char *one = NULL;
  g_autofree char *two = NULL;
  g_autofree char *target = NULL;
  g_autofree char *expected = NULL;
  struct stat st;

  g_assert_cmpint (mkdirat (pv_staging_get_files_fd (first), "bin", 0755), ==, 0);
  one = pv_staging_commit (first, &scout, &error);
  g_assert_no_error (error);
  two = pv_staging_commit (second, &scout, &error);
  g_assert_no_error (error);

  g_assert_true (g_str_has_suffix (one, ".0"));
  g_assert_true (g_str_has_suffix (two, ".1"));
  target = g_strconcat ("scout/versions/", one, "/files/bin", NULL);
  g_assert_true (pv_fixture_exists (fixture, target));
  g_assert_cmpuint (count (fixture, "scout/versions"), ==, 2);
  g_assert_cmpuint (count (fixture, "scout"), ==, 2);

  g_clear_pointer (&target, g_free);
  target = g_strconcat ("versions/", two, "/files", NULL);
  expected = pv_dir_read_link (fixture->dir_fd, "scout/files");
  g_assert_cmpstr (target, ==, expected);
  g_assert_cmpint (fstatat (fixture->dir_fd, "scout/files/.ref", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode, ==, S_IFREG | 0644);
  g_assert_cmpint (st.st_size, ==, 0);
}

static void
test_existing_version (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "scout/versions/7/files/.ref", NULL };
  const PvMetadata seven = { .name = (char *) "scout", .version = (char *) "7" };
  g_autoptr (PvStaging) staging = NULL;
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  staging = begin (fixture);
  g_assert_true (pv_staging_has_version (staging, "7"));
  g_assert_null (pv_staging_commit (staging, &seven, &error));
  g_assert_nonnull (strstr (error->message, "versions/7"));
  g_assert_true (pv_staging_abort (staging, NULL));
  g_assert_cmpuint (count (fixture, "scout/versions"), ==, 1);
  g_assert_false (pv_fixture_exists (fixture, "scout/files"));
}

static void
test_sweep (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = {
    "scout/versions/.new-a/files/.ref", "scout/versions/.new-a/files/bin/sh",
    "scout/versions/.new-b/",           "scout/versions/.new-c/files/",
    "scout/versions/1/files/.ref",      "scout/.files-a>versions/1/files",
    NULL,
  };
  g_autoptr (PvStaging) alive = begin (fixture);
  g_autoptr (PvStaging) next = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *version = NULL;

  pv_fixture_make (fixture, made);
  next = pv_staging_open (fixture->path, "scout", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count (fixture, "scout/versions"), ==, 2);
  g_assert_cmpuint (count (fixture, "scout"), ==, 1);

  version = pv_staging_commit (alive, &scout, &error);
  g_assert_no_error (error);
}

static void
test_abort (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  PvStaging *staging = begin (fixture);

  g_assert_cmpint (mkdirat (pv_staging_get_files_fd (staging), "bin", 0), ==, 0);
  pv_staging_free (staging);
  g_assert_false (pv_fixture_exists (fixture, "scout"));
}

static void
test_not_a_link (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "scout/files/bin/", NULL };
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  g_assert_null (pv_staging_open (fixture->path, "scout", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_null (pv_staging_open (fixture->path, "../x", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_USAGE);
}

/* The link cannot be switched: the version must not stay. */
static void
test_switch_fails (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "scout/files/bin/", NULL };
  g_autoptr (PvStaging) staging = begin (fixture);
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, made);
  g_assert_null (pv_staging_commit (staging, &scout, &error));
  g_assert_nonnull (strstr (error->message, "scout/files"));
  g_assert_true (pv_staging_abort (staging, NULL));
  g_assert_cmpuint (count (fixture, "scout/versions"), ==, 0);
  g_assert_cmpuint (count (fixture, "scout"), ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/staging/commit", test_commit);
  pv_fixture_add ("/staging/existing-version", test_existing_version);
  pv_fixture_add ("/staging/sweep", test_sweep);
  pv_fixture_add ("/staging/abort", test_abort);
  pv_fixture_add ("/staging/not-a-link", test_not_a_link);
  pv_fixture_add ("/staging/switch-fails", test_switch_fails);
  return g_test_run ();
}
