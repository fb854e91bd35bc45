/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "fixture.h"
#include "host/path.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const tree[] = {
  "real/dir/file",
  "rel>real/dir",
  "rel2>./rel",
  "up>real/dir/../dir",
  "real/out>../other",
  "other/x",
  "loop>loop",
  "ping>pong",
  "pong>ping",
  "dangling>nowhere",
  NULL,
};

/* All relative to the fixture's folder. */
static const struct
{
  const char *asked;
  const char *real;
  const char *links[5];
} rows[] = {
  { "/real/dir", "/real/dir", { NULL } },
  { "/real/dir/file", "/real/dir/file", { NULL } },
  { "/real//dir/./file", "/real/dir/file", { NULL } },
  { "/real/dir/", "/real/dir", { NULL } },
  { "/real/dir/..", "/real", { NULL } },
  { "/rel", "/real/dir", { "/rel>real/dir" } },
  { "/rel/file", "/real/dir/file", { "/rel>real/dir" } },
  { "/rel2/file", "/real/dir/file", { "/rel2>./rel", "/rel>real/dir" } },
  { "/rel/..", "/real", { "/rel>real/dir" } },
  { "/up/file", "/real/dir/file", { "/up>real/dir/../dir" } },
  { "/real/out/x", "/other/x", { "/real/out>../other" } },
  { "/rel/../out/x", "/other/x", { "/rel>real/dir", "/real/out>../other" } },
};

static void
assert_link (const PvFixture *fixture, const PvHostLink *link, const char *expected)
{
  g_autofree char *text = g_strdup_printf ("%s>%s", link->path, link->target);

  g_assert_true (g_str_has_prefix (text, fixture->path));
  g_assert_cmpstr (text + strlen (fixture->path), ==, expected);
}

static void
test_resolve (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  pv_fixture_make (fixture, tree);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *asked = g_strconcat (fixture->path, rows[i].asked, NULL);
      g_autofree char *real = g_strconcat (fixture->path, rows[i].real, NULL);
      g_autofree char *opened = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (PvHostPath) path = pv_host_path_open (asked, &error);
      guint n = 0;

      g_assert_no_error (error);
      g_assert_cmpstr (path->asked, ==, asked);
      g_assert_cmpstr (path->real, ==, real);
      opened = pv_fd_get_path (path->fd);
      g_assert_cmpstr (opened, ==, real);
      for (; rows[i].links[n] != NULL; n++)
        {
          g_assert_cmpuint (path->links->len, >, n);
          assert_link (fixture, path->links->pdata[n], rows[i].links[n]);
        }
      g_assert_cmpuint (path->links->len, ==, n);
    }
}

static void
test_absolute_link (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *target = pv_fixture_path (fixture, "real");
  g_autofree char *link = pv_fixture_path (fixture, "abs");
  g_autofree char *asked = pv_fixture_path (fixture, "abs/dir");
  g_autofree char *real = pv_fixture_path (fixture, "real/dir");
  g_autoptr (PvHostPath) path = NULL;

  pv_fixture_make (fixture, tree);
  g_assert_cmpint (symlink (target, link), ==, 0);
  path = pv_host_path_open (asked, NULL);
  g_assert_nonnull (path);
  g_assert_cmpstr (path->real, ==, real);
  g_assert_cmpuint (path->links->len, ==, 1);
}

static void
test_root (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const names[] = { "/", "//", "/.", "/..", "/usr/..", "/../.." };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (PvHostPath) path = pv_host_path_open (names[i], NULL);

      g_assert_nonnull (path);
      g_assert_cmpstr (path->real, ==, "/");
    }
}

static void
test_errors (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *name;
    int code;
  } bad[] = {
    { "loop", PV_ERROR_FAILED },           { "ping/x", PV_ERROR_FAILED },
    { "dangling", PV_ERROR_NOT_FOUND },    { "nothing", PV_ERROR_NOT_FOUND },
    { "real/dir/file/x", PV_ERROR_NOT_FOUND },
  };
  g_autoptr (GError) error = NULL;

  pv_fixture_make (fixture, tree);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *asked = pv_fixture_path (fixture, bad[i].name);
      g_autoptr (GError) why = NULL;

      g_assert_null (pv_host_path_open (asked, &why));
      g_assert_error (why, PV_ERROR, bad[i].code);
      g_assert_nonnull (strstr (why->message, asked));
    }
  g_assert_null (pv_host_path_open ("relative", &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_USAGE);
}

/* As many links as the kernel follows, and one more. */
static void
test_many_links (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *forty = pv_fixture_path (fixture, "l40");
  g_autofree char *forty_one = pv_fixture_path (fixture, "l41");
  g_autoptr (PvHostPath) path = NULL;
  struct stat st;

  pv_fixture_write (fixture, "l0", "");
  for (int i = 1; i <= 41; i++)
    {
      g_autofree char *target = g_strdup_printf ("l%d", i - 1);
      g_autofree char *name = g_strdup_printf ("l%d", i);

      g_assert_cmpint (symlinkat (target, fixture->dir_fd, name), ==, 0);
    }
  g_assert_cmpint (stat (forty, &st), ==, 0);
  path = pv_host_path_open (forty, NULL);
  g_assert_nonnull (path);
  g_assert_cmpint (stat (forty_one, &st), ==, -1);
  g_assert_null (pv_host_path_open (forty_one, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/path/resolve", test_resolve);
  pv_fixture_add ("/path/absolute-link", test_absolute_link);
  pv_fixture_add ("/path/root", test_root);
  pv_fixture_add ("/path/errors", test_errors);
  pv_fixture_add ("/path/many-links", test_many_links);
  return g_test_run ();
}
