/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"
#include "fixture.h"
#include "plan/shares.h"

#include "base/error.h"

/* What is asked for, and the mounts that this takes; the fake host shares its home and /tmp. */
static const struct
{
  const char *asked[5];
  const char *mounted[6];
} rows[] = {
  { { NULL }, { "rw /home/ada", "rw /tmp" } },
  /* A parent that is shared in the same way is enough. */
  { { "/srv/a/b", "/srv/a" }, { "rw /home/ada", "rw /srv/a", "rw /tmp" } },
  { { "/srv/a", "/srv/a/b", "/srv/a/b/c" }, { "rw /home/ada", "rw /srv/a", "rw /tmp" } },
  { { "/srv/a", "/srv/ab" }, { "rw /home/ada", "rw /srv/a", "rw /srv/ab", "rw /tmp" } },
  /* Read-only inside writable, and the other way round, needs both. */
  { { "/srv/a", "/srv/a/b:ro" }, { "rw /home/ada", "rw /srv/a", "ro /srv/a/b", "rw /tmp" } },
  { { "/srv/a:ro", "/srv/a/b" }, { "rw /home/ada", "ro /srv/a", "rw /srv/a/b", "rw /tmp" } },
  { { "/srv/a:ro", "/srv/a/b", "/srv/a/b/c" },
    { "rw /home/ada", "ro /srv/a", "rw /srv/a/b", "rw /tmp" } },
  { { "/srv/a", "/srv/a/b:ro", "/srv/a/b/c" },
    { "rw /home/ada", "rw /srv/a", "ro /srv/a/b", "rw /srv/a/b/c", "rw /tmp" } },
  /* What was asked for counts, also for what comes by itself below it, and of two the last. */
  { { "/home/ada:ro" }, { "ro /home/ada", "rw /tmp" } },
  { { "/home:ro" }, { "ro /home", "rw /tmp" } },
  { { "/srv/a:ro", "/srv/a" }, { "rw /home/ada", "rw /srv/a", "rw /tmp" } },
  { { "/srv/a", "/srv/a:ro" }, { "rw /home/ada", "ro /srv/a", "rw /tmp" } },
  { { "/home" }, { "rw /home", "rw /tmp" } },
  { { "/tmp/x:ro" }, { "rw /home/ada", "rw /tmp", "ro /tmp/x" } },
};

static void
assert_row (gsize row)
{
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) mounts = pv_mounts_new ();
  g_autoptr (GPtrArray) shares = NULL;
  guint n = 0;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  for (gsize i = 0; rows[row].asked[i] != NULL; i++)
    {
      gboolean read_only = g_str_has_suffix (rows[row].asked[i], ":ro");
      g_auto (GStrv) parts = g_strsplit (rows[row].asked[i], ":", 2);

      pv_fake_share (&fake, parts[0], NULL, read_only);
    }
  shares = pv_shares_plan (&fake.input, notices, NULL);
  pv_shares_mount (mounts, shares);
  for (; n < mounts->len && rows[row].mounted[n] != NULL; n++)
    {
      const PvMount *mount = mounts->pdata[n];
      g_autofree char *text = g_strdup_printf (
        "%s %s", mount->kind == PV_MOUNT_BIND_READ_ONLY ? "ro" : "rw", mount->dest);

      g_assert_cmpstr (text, ==, rows[row].mounted[n]);
      g_assert_cmpstr (mount->source, ==, mount->dest);
    }
  g_assert_cmpuint (n, ==, mounts->len);
  g_assert_null (rows[row].mounted[n]);
  g_assert_cmpuint (notices->len, ==, 0);
  pv_fake_clear (&fake);
}

static void
test_covered (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  for (gsize row = 0; row < G_N_ELEMENTS (rows); row++)
    {
      g_test_message ("row %zu", row);
      assert_row (row);
    }
}

/* Another home lies on top of whatever is shared above it, and below what is shared in it. */
static void
test_other_home (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const mounted[] = { "/home", "/home/ada", "/home/ada/game", "/tmp" };
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) mounts = pv_mounts_new ();
  g_autoptr (GPtrArray) shares = NULL;
  g_autoptr (GError) error = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  pv_fake_share (&fake, "/home", NULL, FALSE);
  fake.input.home_kind = PV_HOME_EMPTY;
  shares = pv_shares_plan (&fake.input, notices, NULL);
  pv_shares_mount (mounts, shares);
  g_assert_cmpuint (mounts->len, ==, G_N_ELEMENTS (mounted));
  for (guint i = 0; i < mounts->len; i++)
    {
      const PvMount *mount = mounts->pdata[i];

      g_assert_cmpstr (mount->dest, ==, mounted[i]);
      g_assert_cmpint (mount->kind, ==, i == 1 ? PV_MOUNT_TMPFS : PV_MOUNT_BIND);
    }

  g_clear_pointer (&shares, g_ptr_array_unref);
  g_free (fake.host.home->real);
  fake.host.home->real = g_strdup ("/usr/games");
  g_assert_null (pv_shares_plan (&fake.input, notices, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_USAGE);
  pv_fake_clear (&fake);
}

static void
assert_link (const GPtrArray *mounts, guint i, const char *dest, const char *target)
{
  const PvMount *mount = mounts->pdata[i];

  g_assert_cmpint (mount->kind, ==, PV_MOUNT_LINK);
  g_assert_cmpstr (mount->dest, ==, dest);
  g_assert_cmpstr (mount->source, ==, target);
}

/* Links on the way are repeated, once, and only where no shared folder has them. */
static void
test_links (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const links[]
    = { "/games>srv/games", "/tmp/link>/games", "/lib>usr/lib", NULL };
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) mounts = pv_mounts_new ();
  g_autoptr (GPtrArray) shares = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  pv_fake_share (&fake, "/games/a", "/srv/games/a", FALSE);
  pv_fake_share (&fake, "/games/b", "/srv/games/b", FALSE);
  for (guint i = 0; i < 2; i++)
    {
      PvShareRequest *request = fake.input.shares->pdata[i];

      pv_host_path_free (request->path);
      request->path = pv_fake_path (i == 0 ? "/games/a" : "/games/b",
                                    i == 0 ? "/srv/games/a" : "/srv/games/b", -1, links);
    }
  shares = pv_shares_plan (&fake.input, notices, NULL);
  pv_shares_mount (mounts, shares);
  g_assert_cmpuint (mounts->len, ==, 5);
  assert_link (mounts, 4, "/games", "srv/games");
  pv_fake_clear (&fake);
}

static void
test_reach (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GPtrArray) notices = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) shares = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  pv_fake_share (&fake, "/opt/game", NULL, FALSE);
  shares = pv_shares_plan (&fake.input, notices, NULL);
  g_assert_true (pv_shares_reach_into (shares, "/opt"));
  g_assert_true (pv_shares_reach_into (shares, "/opt/game"));
  g_assert_false (pv_shares_reach_into (shares, "/opt/game/x"));
  g_assert_false (pv_shares_reach_into (shares, "/op"));
  g_assert_true (pv_shares_cover (shares, "/opt/game/x"));
  g_assert_true (pv_shares_cover (shares, "/home/ada"));
  g_assert_false (pv_shares_cover (shares, "/opt"));
  pv_fake_clear (&fake);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/shares/covered", test_covered);
  pv_fixture_add ("/shares/links", test_links);
  pv_fixture_add ("/shares/other-home", test_other_home);
  pv_fixture_add ("/shares/reach", test_reach);
  return g_test_run ();
}
