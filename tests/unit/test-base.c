/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/base.h"
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "copy/base-staging.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST "0123456789abcdef0123456789abcdef"

static const PvManifest manifest = { .path = (char *) "/a/usr-mtree.txt",
                                     .digest = (char *) DIGEST };

static PvCopyParent *
acquire_parent (const PvFixture *fixture)
{
  g_autofree char *registry = pv_fixture_path (fixture, "registry");
  g_autofree char *path = pv_fixture_path (fixture, "parent");
  g_autoptr (GError) error = NULL;
  PvCopyParent *parent = pv_copy_parent_acquire (path, registry, NULL, &error);

  g_assert_no_error (error);
  return parent;
}

static PvBaseStaging *
begin (const PvCopyParent *parent)
{
  g_autoptr (GError) error = NULL;
  PvBaseStaging *staging = pv_base_staging_begin (parent->fd, DIGEST, manifest.path, NULL, &error);

  g_assert_no_error (error);
  return staging;
}

static void
assert_cannot_begin (const PvCopyParent *parent, PvErrorCode code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (pv_base_staging_begin (parent->fd, DIGEST, manifest.path, NULL, &error));
  g_assert_error (error, PV_ERROR, (int) code);
}

static void
assert_no_base (const PvCopyParent *parent, PvErrorCode code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (pv_base_acquire (parent, &manifest, "scout", &error));
  g_assert_error (error, PV_ERROR, (int) code);
}

/* One after the other, whole or not at all. */
static void
test_deploy (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvCopyParent) parent = acquire_parent (fixture);
  g_autoptr (PvBaseStaging) staging = NULL;
  g_autoptr (PvBase) base = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *ref = pv_fixture_path (fixture, "parent/base-" DIGEST "/.ref");
  g_autofree char *target = NULL;
  g_autofree char *link = pv_fixture_path (fixture, "parent/base-" DIGEST "/manifest");

  assert_no_base (parent, PV_ERROR_NOT_FOUND);
  staging = begin (parent);
  g_assert_true (pv_fixture_exists (fixture, "parent/.new-" DIGEST "/usr/.ref"));
  assert_cannot_begin (parent, PV_ERROR_BUSY);
  assert_no_base (parent, PV_ERROR_NOT_FOUND);
  g_assert_true (pv_base_staging_commit (staging, &error));
  g_assert_no_error (error);
  g_assert_false (pv_fixture_exists (fixture, "parent/.new-" DIGEST));
  /* Until its deployer has let go of it. */
  assert_no_base (parent, PV_ERROR_BUSY);
  g_clear_pointer (&staging, pv_base_staging_free);

  base = pv_base_acquire (parent, &manifest, "scout", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (base->runtime->name, ==, "scout");
  g_assert_cmpint (base->runtime->layout, ==, PV_LAYOUT_USR);
  g_assert_false (pv_holder_would_get (ref, PV_HOLD_OFD, TRUE));
  g_assert_true (pv_holder_would_get (ref, PV_HOLD_OFD, FALSE));
  target = g_file_read_link (link, NULL);
  g_assert_cmpstr (target, ==, manifest.path);
  assert_cannot_begin (parent, PV_ERROR_BUSY);
}

static void
test_abort (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvCopyParent) parent = acquire_parent (fixture);

  pv_base_staging_free (begin (parent));
  g_assert_false (pv_fixture_exists (fixture, "parent/.new-" DIGEST));
  pv_base_staging_free (begin (parent));
}

/* What somebody who was killed has left, in whatever state. */
static void
test_stale (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const states[][2] = {
    { "parent/.new-" DIGEST "/usr/.ref", NULL },
    { "parent/.new-" DIGEST "/usr/lib/", NULL },
    { "parent/.new-" DIGEST "/", NULL },
  };
  g_autoptr (PvCopyParent) parent = acquire_parent (fixture);

  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    {
      pv_fixture_make (fixture, states[i]);
      pv_fixture_write (fixture, "parent/.new-" DIGEST "/old", "");
      pv_base_staging_free (begin (parent));
      g_assert_false (pv_fixture_exists (fixture, "parent/.new-" DIGEST));
    }
}

/* Who deploys is waited for; who has died is not. */
static void
test_await (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const stale[] = { "parent/.new-" DIGEST "/usr/.ref", NULL };
  const PvLockWait wait = { .timeout_ms = 20 };
  g_autofree char *path = pv_fixture_path (fixture, "parent");
  g_autofree char *ref = pv_fixture_path (fixture, stale[0]);
  g_autoptr (GError) error = NULL;
  PvHolder holder;

  g_clear_pointer (&(PvCopyParent *) { acquire_parent (fixture) }, pv_copy_parent_release);
  g_assert_true (pv_base_await (path, &manifest, &wait, &error));
  pv_fixture_make (fixture, stale);
  g_assert_true (pv_base_await (path, &manifest, &wait, &error));
  holder = pv_holder_start (ref, PV_HOLD_OFD, TRUE);
  g_assert_false (pv_base_await (path, &manifest, &wait, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_BUSY);
  pv_holder_stop (&holder);
  g_clear_error (&error);
  g_assert_true (pv_base_await (path, &manifest, &wait, &error));
}

static void
test_damaged (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const damaged[] = { "parent/base-" DIGEST "/usr/bin/", NULL };
  g_autoptr (PvCopyParent) parent = acquire_parent (fixture);

  pv_fixture_make (fixture, damaged);
  assert_no_base (parent, PV_ERROR_INVALID);
  assert_cannot_begin (parent, PV_ERROR_BUSY);
}

static void
test_names (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_true (pv_base_is_name ("base-" DIGEST));
  g_assert_false (pv_base_is_name ("base-files"));
  g_assert_false (pv_base_is_name ("base-" DIGEST "0"));
  g_assert_false (pv_base_is_name (DIGEST));
  g_assert_true (pv_base_staging_is_name (".new-" DIGEST));
  g_assert_true (pv_base_staging_is_name (".new-0123456789abcdef"));
  g_assert_false (pv_base_staging_is_name (".new-"));
  g_assert_false (pv_base_staging_is_name (".new-0123456789abcdeg"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/base/deploy", test_deploy);
  pv_fixture_add ("/base/abort", test_abort);
  pv_fixture_add ("/base/stale", test_stale);
  pv_fixture_add ("/base/await", test_await);
  pv_fixture_add ("/base/damaged", test_damaged);
  pv_fixture_add ("/base/names", test_names);
  return g_test_run ();
}
