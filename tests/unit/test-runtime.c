/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "fixture.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const tree[] = {
  "base/usr-only/lib/",        "base/root/usr/bin/",       "base/shipped/files/bin/",
  "base/shipped-root/files/usr/", "base/static/bin/",      "base/both/usr/", "base/both/bin/",
  "base/linked>shipped",       "base/usr-link/usr>/usr",   "base/usr-link/lib/",
  "base/nothing/share/",       "base/file",                "base/dangling>nowhere",
  "base/files-file/files",     "base/files-file/bin/",     "base/empty/",
  "store/scout/files>versions/1/files", "store/scout/versions/1/files/bin/",
  "store/both/files/bin/",     "cwd/both/files/usr/",      "cwd/here/bin/",
  NULL,
};

typedef struct
{
  PvRuntimeName name;
  struct utsname machine;
  char *store[3];
} Where;

static void
where_init (Where *where, const PvFixture *fixture)
{
  memset (where, 0, sizeof *where);
  uname (&where->machine);
  where->store[0] = pv_fixture_path (fixture, "no-store");
  where->store[1] = pv_fixture_path (fixture, "store");
  where->name.machine = where->machine.machine;
  where->name.store_dirs = where->store;
}

static void
where_clear (Where *where)
{
  g_free (where->store[0]);
  g_free (where->store[1]);
}

static void
assert_found (const PvFixture *fixture, const PvRuntimeName *name, PvLayout layout,
              const char *expected)
{
  g_autofree char *path = pv_fixture_path (fixture, expected);
  g_autoptr (GError) error = NULL;
  g_autoptr (PvRuntime) runtime = pv_runtime_look_up (name, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (runtime->name, ==, name->name);
  g_assert_cmpstr (runtime->path, ==, path);
  g_assert_cmpint (runtime->layout, ==, layout);
}

static void
test_layouts (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *name;
    PvLayout layout;
    const char *path;
  } rows[] = {
    { "usr-only", PV_LAYOUT_USR, "base/usr-only" },
    { "root", PV_LAYOUT_ROOT, "base/root" },
    { "root/", PV_LAYOUT_ROOT, "base/root" },
    { "shipped", PV_LAYOUT_USR, "base/shipped/files" },
    { "shipped/files", PV_LAYOUT_USR, "base/shipped/files" },
    { "shipped-root", PV_LAYOUT_ROOT, "base/shipped-root/files" },
    { "static", PV_LAYOUT_USR, "base/static" },
    { "both", PV_LAYOUT_ROOT, "base/both" },
    { "linked", PV_LAYOUT_USR, "base/shipped/files" },
    { "usr-link", PV_LAYOUT_USR, "base/usr-link" },
    { "files-file", PV_LAYOUT_USR, "base/files-file" },
    { "../base/static", PV_LAYOUT_USR, "base/static" },
  };
  g_autofree char *base = pv_fixture_path (fixture, "base");
  Where where;

  pv_fixture_make (fixture, tree);
  where_init (&where, fixture);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *absolute = g_build_filename (base, rows[i].name, NULL);

      where.name.name = rows[i].name;
      where.name.base = base;
      assert_found (fixture, &where.name, rows[i].layout, rows[i].path);
      where.name.name = absolute;
      where.name.base = NULL;
      assert_found (fixture, &where.name, rows[i].layout, rows[i].path);
    }
  where_clear (&where);
}

/* The current folder first, then the store; with a base, only the base. */
static void
test_order (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *cwd = pv_fixture_path (fixture, "cwd");
  g_autofree char *base = pv_fixture_path (fixture, "base");
  g_autofree char *before = g_get_current_dir ();
  g_autoptr (GError) error = NULL;
  Where where;

  pv_fixture_make (fixture, tree);
  where_init (&where, fixture);
  g_assert_cmpint (chdir (cwd), ==, 0);
  where.name.name = "both";
  assert_found (fixture, &where.name, PV_LAYOUT_ROOT, "cwd/both/files");
  where.name.name = "scout";
  assert_found (fixture, &where.name, PV_LAYOUT_USR, "store/scout/versions/1/files");
  where.name.name = "scout/files";
  assert_found (fixture, &where.name, PV_LAYOUT_USR, "store/scout/versions/1/files");

  where.name.base = base;
  where.name.name = "here";
  g_assert_null (pv_runtime_look_up (&where.name, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (pv_error_get_hint (error), "base/here"));
  g_assert_cmpint (chdir (before), ==, 0);
  where_clear (&where);
}

static void
test_host (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const names[] = { "", "/", "/usr", "/usr/", "/usr/../usr" };
  gboolean has_ref = access ("/.ref", F_OK) == 0;
  Where where;

  where_init (&where, fixture);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (PvRuntime) runtime = NULL;
      g_autoptr (PvLock) lock = NULL;
      g_autoptr (GError) why_not = NULL;

      where.name.name = names[i];
      runtime = pv_runtime_acquire (&where.name, NULL, &lock, &why_not, NULL);
      g_assert_nonnull (runtime);
      g_assert_cmpint (runtime->layout, ==, PV_LAYOUT_HOST);
      /* Nothing is created there, and nothing is said about it. */
      g_assert_cmpint (lock != NULL, ==, has_ref);
      g_assert_cmpint (access ("/.ref", F_OK) == 0, ==, has_ref);
      g_assert_no_error (why_not);
    }
  where_clear (&where);
}

static void
test_errors (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *name;
    int code;
  } rows[] = {
    { "nothing", PV_ERROR_INVALID }, { "empty", PV_ERROR_INVALID },
    { "file", PV_ERROR_INVALID },    { "dangling", PV_ERROR_NOT_FOUND },
    { "missing", PV_ERROR_NOT_FOUND }, { "file/x", PV_ERROR_INVALID },
  };
  g_autofree char *base = pv_fixture_path (fixture, "base");
  Where where;

  pv_fixture_make (fixture, tree);
  where_init (&where, fixture);
  where.name.base = base;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *quoted = g_strdup_printf ("\"%s\"", rows[i].name);
      g_autoptr (GError) error = NULL;

      where.name.name = rows[i].name;
      g_assert_null (pv_runtime_look_up (&where.name, &error));
      g_assert_error (error, PV_ERROR, rows[i].code);
      g_assert_nonnull (strstr (error->message, quoted));
    }
  where_clear (&where);
}

/* Returns: whether it is locked; the runtime must be found in any case */
static gboolean
acquire (const PvFixture *fixture, const char *path, gboolean *ret_created)
{
  g_autofree char *absolute = pv_fixture_path (fixture, path);
  g_autofree char *ref = g_build_filename (path, ".ref", NULL);
  g_autofree char *ref_path = pv_fixture_path (fixture, ref);
  g_autoptr (PvRuntime) runtime = NULL;
  g_autoptr (PvLock) lock = NULL;
  g_autoptr (GError) why_not = NULL;
  g_autoptr (GError) error = NULL;
  Where where;

  where_init (&where, fixture);
  where.name.name = absolute;
  runtime = pv_runtime_acquire (&where.name, NULL, &lock, &why_not, &error);
  where_clear (&where);
  g_assert_no_error (error);
  g_assert_nonnull (runtime);
  g_assert_cmpint (lock == NULL, ==, why_not != NULL);
  if (lock != NULL && access (ref_path, W_OK) == 0)
    g_assert_false (pv_holder_would_get (ref_path, PV_HOLD_OFD, TRUE));
  *ret_created = pv_fixture_exists (fixture, ref);
  return lock != NULL;
}

static void
test_acquire (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  gboolean there;

  pv_fixture_make (fixture, tree);
  g_assert_true (acquire (fixture, "base/root", &there));
  g_assert_true (there);
  g_assert_true (acquire (fixture, "base/root", &there));
  g_assert_true (acquire (fixture, "base/shipped/files", &there));
  g_assert_true (there);

  /* Whoever made the version made its lock file, or meant not to. */
  g_assert_false (acquire (fixture, "store/scout/versions/1/files", &there));
  g_assert_false (there);
  pv_fixture_write (fixture, "store/scout/versions/1/files/.ref", "");
  g_assert_true (acquire (fixture, "store/scout/versions/1/files", &there));
}

/* A lock file that is there, and cannot be locked, is no reason to go on without. */
static void
test_acquire_errors (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *root = pv_fixture_path (fixture, "base/root");
  g_autofree char *ref = pv_fixture_path (fixture, "base/root/.ref");
  g_autoptr (PvLock) lock = NULL;
  g_autoptr (GError) why_not = NULL;
  g_autoptr (GError) busy = NULL;
  g_autoptr (GError) dangling = NULL;
  PvHolder holder;
  Where where;

  pv_fixture_make (fixture, tree);
  pv_fixture_write (fixture, "base/root/.ref", "");
  where_init (&where, fixture);
  where.name.name = root;
  holder = pv_holder_start (ref, PV_HOLD_OFD, TRUE);
  g_assert_null (pv_runtime_acquire (&where.name, NULL, &lock, &why_not, &busy));
  pv_holder_stop (&holder);
  g_assert_error (busy, PV_ERROR, PV_ERROR_BUSY);

  g_assert_cmpint (unlink (ref), ==, 0);
  g_assert_cmpint (symlink ("nowhere", ref), ==, 0);
  g_assert_null (pv_runtime_acquire (&where.name, NULL, &lock, &why_not, &dangling));
  g_assert_error (dangling, PV_ERROR, PV_ERROR_NOT_FOUND);
  g_assert_no_error (why_not);
  where_clear (&where);
}

static int
acquire_read_only (gconstpointer data)
{
  const PvFixture *fixture = data;
  gboolean there;

  if (mount (fixture->path, fixture->path, NULL, MS_BIND, NULL) < 0
      || mount (NULL, fixture->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
    return 77;
  if (acquire (fixture, "base/root", &there) || there)
    return 1;
  return acquire (fixture, "base/shipped/files", &there) ? 0 : 2;
}

static void
test_read_only_filesystem (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *why_not = NULL;
  int status;

  pv_fixture_make (fixture, tree);
  pv_fixture_write (fixture, "base/shipped/files/.ref", "");
  if (!pv_child_run_in_namespaces (acquire_read_only, fixture, &status, &why_not))
    g_test_skip (why_not);
  else
    g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/runtime/layouts", test_layouts);
  pv_fixture_add ("/runtime/order", test_order);
  pv_fixture_add ("/runtime/host", test_host);
  pv_fixture_add ("/runtime/errors", test_errors);
  pv_fixture_add ("/runtime/acquire", test_acquire);
  pv_fixture_add ("/runtime/acquire-errors", test_acquire_errors);
  pv_fixture_add ("/runtime/read-only-filesystem", test_read_only_filesystem);
  return g_test_run ();
}
