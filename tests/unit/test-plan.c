/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fake hosts and runtimes, and the plans that are made of them, to the last word. */
#include "base/error.h"
#include "fake.h"
#include "fixture.h"

#include <string.h>

/* OPTION[ MODE] DEST [SOURCE[ #FD[/SUB]]][ !], the last for what replaces something */
static char *
describe (const PvMount *mount)
{
  GString *text = g_string_new (pv_mount_kind_to_option (mount->kind));

  if (mount->mode != 0)
    g_string_append_printf (text, " %04o", mount->mode);
  g_string_append_printf (text, " %s", mount->dest);
  if (mount->source != NULL)
    g_string_append_printf (text, " %s", mount->source);
  if (mount->fd >= 0)
    g_string_append_printf (text, " #%d", mount->fd);
  if (mount->sub != NULL)
    g_string_append_printf (text, "/%s", mount->sub);
  if (mount->replaces)
    g_string_append (text, " !");
  g_assert_nonnull (mount->reason);
  return g_string_free (text, FALSE);
}

static void
assert_mounts (const PvPlan *plan, const char *const *expected)
{
  guint i;

  for (i = 0; i < plan->mounts->len && expected[i] != NULL; i++)
    {
      g_autofree char *text = describe (plan->mounts->pdata[i]);

      g_assert_cmpstr (text, ==, expected[i]);
    }
  g_assert_cmpuint (i, ==, plan->mounts->len);
  g_assert_null (expected[i]);
}

static PvPlan *
make_plan (PvFake *fake)
{
  g_autoptr (GError) error = NULL;
  PvPlan *plan = pv_plan_new (&fake->input, &error);

  g_assert_no_error (error);
  return plan;
}

#define KERNEL                                                                                     \
  "dev-bind /dev /dev", "proc /proc", "ro-bind /sys /sys"
#define VAR                                                                                        \
  "dir 0755 /var", "dir 1777 /var/tmp", "symlink /var/run ../run", "dir 0755 /var/lib",           \
    "dir 0755 /var/lib/dbus", "symlink /var/lib/dbus/machine-id /etc/machine-id"
#define RUN_USER "dir 0755 /run/user", "dir 0700 /run/user/1000"

static void
test_merged_usr (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const top[] = { ".ref", "bin/", "etc/", "lib/", "lib64>lib", "libexec/",
                                     "sbin/", "share/", NULL };
  static const char *const etc[] = { "fonts/", "hosts", "localtime>/usr/share/zoneinfo/UTC",
                                     "os-release>../usr/lib/os-release", "passwd", NULL };
  static const char *const expected[] = {
    "ro-bind /usr /srv/scout #30",
    "symlink /bin usr/bin",
    "symlink /lib usr/lib",
    "symlink /lib64 usr/lib64",
    "symlink /sbin usr/sbin",
    "symlink /.ref usr/.ref",
    "dir 0755 /run",
    "dir 0755 /run/host",
    "ro-bind /run/host/etc /etc",
    "dir 0755 /etc",
    "symlink /etc/fonts /usr/etc/fonts",
    "symlink /etc/os-release ../usr/lib/os-release",
    "symlink /etc/hosts /run/host/etc/hosts",
    "symlink /etc/localtime /usr/share/zoneinfo/Europe/Berlin",
    "file 0644 /etc/timezone /etc/timezone",
    "symlink /etc/mtab /proc/self/mounts",
    "file 0644 /etc/passwd",
    "file 0644 /etc/group",
    KERNEL,
    "file 0644 /run/host/container-manager",
    VAR,
    "symlink /var/lib/games /usr/var/lib/games",
    "dir 0755 /home",
    "bind /home/ada /home/ada #31",
    "bind /tmp /tmp #33",
    RUN_USER,
    NULL,
  };
  g_autoptr (PvPlan) plan = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  for (gsize i = 0; top[i] != NULL; i++)
    pv_fake_entry (fake.contents.top, top[i]);
  for (gsize i = 0; etc[i] != NULL; i++)
    pv_fake_entry (fake.contents.etc, etc[i]);
  g_ptr_array_add (fake.contents.var, g_strdup ("var/lib/games"));
  g_ptr_array_add (fake.contents.var, g_strdup ("var/lib/dbus"));
  pv_fake_file (&fake, "hosts", NULL);
  pv_fake_file (&fake, "localtime", "TZif");
  pv_fake_file (&fake, "timezone", "Europe/Berlin\n");
  fake.contents.has_zone = TRUE;
  fake.host.zone = g_strdup ("Europe/Berlin");

  plan = make_plan (&fake);
  assert_mounts (plan, expected);
  g_assert_cmpstr (plan->cwd, ==, "/home/ada/game");
  g_assert_cmpuint (plan->notices->len, ==, 0);
  g_assert_cmpuint (pv_plan_count_mounts (plan), ==, 7);
  g_clear_pointer (&plan, pv_plan_free);
  pv_fake_clear (&fake);
}

/* Not all of its root folders are links; what else it has at the top is linked to. */
static void
test_complete_root (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const top[] = { ".ref", "bin>usr/bin", "boot/", "dev/", "etc/", "home/",
                                     "lib/", "opt/", "proc/", "run/", "snap/", "tmp/", "usr/",
                                     "var/", NULL };
  static const char *const expected[] = {
    "ro-bind /.runtime /srv/scout #30",
    "ro-bind /usr /srv/scout/usr #30/usr",
    "symlink /bin usr/bin",
    "ro-bind /lib /srv/scout/lib #30/lib",
    "symlink /snap .runtime/snap",
    "symlink /.ref .runtime/.ref",
    "dir 0755 /run",
    "dir 0755 /run/host",
    "ro-bind /run/host/etc /etc",
    "dir 0755 /etc",
    "symlink /etc/fonts /.runtime/etc/fonts",
    "symlink /etc/mtab /proc/self/mounts",
    "file 0644 /etc/passwd",
    "file 0644 /etc/group",
    KERNEL,
    "file 0644 /run/host/container-manager",
    VAR,
    "symlink /var/lib/games /.runtime/var/lib/games",
    "dir 0755 /home",
    "bind /home/ada /home/ada #31",
    "dir 0755 /opt",
    "bind /opt/game /opt/game",
    "bind /tmp /tmp #33",
    RUN_USER,
    NULL,
  };
  g_autoptr (PvPlan) plan = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_ROOT);
  for (gsize i = 0; top[i] != NULL; i++)
    pv_fake_entry (fake.contents.top, top[i]);
  pv_fake_entry (fake.contents.etc, "fonts/");
  g_ptr_array_add (fake.contents.var, g_strdup ("var/lib/games"));
  pv_fake_share (&fake, "/opt/game", NULL, FALSE);

  plan = make_plan (&fake);
  assert_mounts (plan, expected);
  g_clear_pointer (&plan, pv_plan_free);
  pv_fake_clear (&fake);
}

/* /etc is the copy's own, and the host's files replace what is in it; unless that is a link. */
static void
test_writable_root (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const struct
  {
    const char *etc;
    PvLayout layout;
    PvSysrootOverlay overlay;
    gboolean writable, own;
  } rows[] = {
    { "etc/", PV_LAYOUT_ROOT, PV_SYSROOT_NO_OVERLAY, TRUE, TRUE },
    { "etc/", PV_LAYOUT_ROOT, PV_SYSROOT_OVERLAY, TRUE, TRUE },
    { "opt/", PV_LAYOUT_ROOT, PV_SYSROOT_OVERLAY, TRUE, TRUE },
    { "etc>usr/etc", PV_LAYOUT_ROOT, PV_SYSROOT_OVERLAY, TRUE, FALSE },
    { "etc/", PV_LAYOUT_ROOT, PV_SYSROOT_OVERLAY, FALSE, FALSE },
    { "etc/", PV_LAYOUT_ROOT, PV_SYSROOT_NO_OVERLAY, FALSE, FALSE },
    { "etc/", PV_LAYOUT_ROOT, PV_SYSROOT_OVERLAY_BY_BWRAP, FALSE, FALSE },
    { "etc/", PV_LAYOUT_USR, PV_SYSROOT_OVERLAY, TRUE, FALSE },
  };
  static const char *const own[] = {
    "bind /etc /srv/scout/etc #30/etc",
    "symlink /etc/hosts /run/host/etc/hosts !",
    "file 0644 /etc/timezone /etc/timezone !",
    "symlink /etc/mtab /proc/self/mounts !",
    "file 0644 /etc/passwd !",
    "file 0644 /etc/group !",
    NULL,
  };

  for (gsize row = 0; row < G_N_ELEMENTS (rows); row++)
    {
      g_autoptr (PvPlan) plan = NULL;
      guint found = 0;
      PvFake fake;

      pv_fake_init (&fake, rows[row].layout);
      pv_fake_entry (fake.contents.top, rows[row].etc);
      pv_fake_entry (fake.contents.etc, "fonts/");
      pv_fake_entry (fake.contents.etc, "passwd");
      pv_fake_file (&fake, "hosts", NULL);
      pv_fake_file (&fake, "timezone", "Europe/Berlin\n");
      fake.input.sysroot.writable = rows[row].writable;
      fake.input.sysroot.overlay = rows[row].overlay;
      fake.input.sysroot.lower_path = "/srv/lower";
      plan = make_plan (&fake);
      for (guint i = 0; i < plan->mounts->len; i++)
        {
          const PvMount *mount = plan->mounts->pdata[i];
          g_autofree char *text = describe (mount);

          g_test_message ("%s", text);
          if (rows[row].own && g_str_has_prefix (mount->dest, "/etc"))
            g_assert_cmpstr (text, ==, own[found++]);
          else
            g_assert_false (mount->replaces);
          g_assert_true (rows[row].own || strcmp (mount->dest, "/etc") != 0
                         || mount->kind == PV_MOUNT_FOLDER);
        }
      g_assert_cmpuint (found, ==, rows[row].own ? G_N_ELEMENTS (own) - 1 : 0);
      g_clear_pointer (&plan, pv_plan_free);
      pv_fake_clear (&fake);
    }
}

static void
test_host (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const top[] = { "bin>usr/bin", "boot/", "etc/", "lib>usr/lib", "srv/", NULL };
  static const char *const expected[] = {
    "ro-bind /usr /usr",
    "symlink /bin usr/bin",
    "symlink /lib usr/lib",
    "ro-bind /etc /etc",
    KERNEL,
    "dir 0755 /run",
    "dir 0755 /run/host",
    "file 0644 /run/host/container-manager",
    VAR,
    "dir 0755 /home",
    "bind /home/ada /home/ada #31",
    "bind /tmp /tmp #33",
    RUN_USER,
    NULL,
  };
  g_autoptr (PvPlan) plan = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_HOST);
  for (gsize i = 0; top[i] != NULL; i++)
    pv_fake_entry (fake.contents.top, top[i]);
  pv_fake_file (&fake, "hosts", NULL);
  plan = make_plan (&fake);
  assert_mounts (plan, expected);
  g_clear_pointer (&plan, pv_plan_free);
  pv_fake_clear (&fake);
}

/* The end of the plan, from the home folder on. */
static void
assert_tail (PvFake *fake, const char *const *expected, const char *cwd)
{
  g_autoptr (PvPlan) plan = make_plan (fake);
  const char *const before = "symlink /var/lib/dbus/machine-id /etc/machine-id";
  guint first = 0;

  for (guint i = 0; i < plan->mounts->len; i++)
    {
      g_autofree char *text = describe (plan->mounts->pdata[i]);

      if (strcmp (text, before) == 0)
        first = i + 1;
    }
  g_assert_cmpuint (first, >, 0);
  g_ptr_array_remove_range (plan->mounts, 0, first);
  assert_mounts (plan, expected);
  g_assert_cmpstr (plan->cwd, ==, cwd);
}

static void
test_homes (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const private_home[] = {
    "dir 0755 /home", "bind /home/ada /srv/home #40", "bind /tmp /tmp #33",
    "symlink /home-link home", RUN_USER, NULL,
  };
  static const char *const empty_home[] = {
    "dir 0755 /home", "tmpfs 0700 /home/ada", "bind /tmp /tmp #33", RUN_USER, NULL,
  };
  static const char *const no_home[] = { "bind /tmp /tmp #33", RUN_USER, NULL };
  static const char *const links[] = { "/home-link>home", NULL };
  PvHostPath *home = pv_fake_path ("/srv/home", NULL, 40, NULL);
  PvFake fake;

  /* The user's home is kept out, and the current folder in it with it. */
  pv_fake_init (&fake, PV_LAYOUT_USR);
  fake.host.cwd->fd = -1;
  g_clear_pointer (&fake.host.cwd, pv_host_path_free);
  fake.host.cwd = pv_fake_path ("/home/ada", NULL, 32, NULL);
  fake.input.home_kind = PV_HOME_EMPTY;
  assert_tail (&fake, empty_home, "/home/ada");

  fake.host.home->fd = -1;
  g_clear_pointer (&fake.host.home, pv_host_path_free);
  fake.host.home = pv_fake_path ("/home-link/ada", "/home/ada", 31, links);
  fake.input.home_kind = PV_HOME_PRIVATE;
  fake.input.private_home = home;
  assert_tail (&fake, private_home, "/home/ada");

  /* A user without a home that exists, and a folder that was deleted. */
  fake.host.home->fd = fake.host.cwd->fd = -1;
  g_clear_pointer (&fake.host.home, pv_host_path_free);
  g_clear_pointer (&fake.host.cwd, pv_host_path_free);
  fake.input.home_kind = PV_HOME_SHARED;
  assert_tail (&fake, no_home, "/");
  home->fd = -1;
  pv_host_path_free (home);
  pv_fake_clear (&fake);
}

static void
test_runtime_dir (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const shared[] = {
    "dir 0755 /home", "bind /home/ada /home/ada #31", "dir 0755 /run/user",
    "bind /run/user/1000 /run/user/1000 #34", "bind /tmp /tmp #33", NULL,
  };
  static const char *const reserved[] = {
    "dir 0755 /home", "bind /home/ada /home/ada #31", "bind /tmp /tmp #33", RUN_USER, NULL,
  };
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  fake.host.runtime_dir = pv_fake_path ("/run/user/1000", NULL, 34, NULL);
  assert_tail (&fake, shared, "/home/ada/game");
  fake.host.runtime_dir->fd = -1;
  g_clear_pointer (&fake.host.runtime_dir, pv_host_path_free);
  fake.host.runtime_dir = pv_fake_path ("/dev/shm/run", NULL, 34, NULL);
  assert_tail (&fake, reserved, "/home/ada/game");
  pv_fake_clear (&fake);
}

/* resolv.conf changes while a program runs: the folder it lies in is mounted, not the file. */
static void
test_resolv_conf (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  gboolean seen_folder = FALSE, seen_link = FALSE;
  g_autoptr (PvPlan) plan = NULL;
  PvHostFile *file;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  pv_fake_file (&fake, "resolv.conf", NULL);
  file = fake.host.files->pdata[0];
  file->real = g_strdup ("/run/systemd/resolve/stub-resolv.conf");
  file->folder = pv_fake_path ("/run/systemd/resolve", NULL, 35, NULL);
  plan = make_plan (&fake);
  for (guint i = 0; i < plan->mounts->len; i++)
    {
      g_autofree char *text = describe (plan->mounts->pdata[i]);

      seen_folder |= strcmp (text, "ro-bind /run/systemd/resolve /run/systemd/resolve #35") == 0;
      seen_link |= strcmp (text, "symlink /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf")
                   == 0;
    }
  g_assert_true (seen_folder);
  g_assert_true (seen_link);
  g_clear_pointer (&plan, pv_plan_free);
  file->folder->fd = -1;
  pv_fake_clear (&fake);
}

static void
test_reserved (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  pv_fake_share (&fake, "/link/to/usr", "/usr/share", FALSE);
  g_assert_null (pv_plan_new (&fake.input, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_USAGE);
  g_assert_nonnull (strstr (error->message, "\"/link/to/usr\""));
  g_assert_nonnull (strstr (error->message, "\"/usr\""));
  pv_fake_clear (&fake);
}

/* What nobody asked for is left out instead, with a line about it. */
static void
test_notices (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvPlan) plan = NULL;
  PvFake fake;

  pv_fake_init (&fake, PV_LAYOUT_USR);
  fake.host.cwd->fd = -1;
  g_clear_pointer (&fake.host.cwd, pv_host_path_free);
  fake.host.cwd = pv_fake_path ("/usr/share/games", NULL, 32, NULL);
  plan = make_plan (&fake);
  g_assert_cmpstr (plan->cwd, ==, "/");
  g_assert_cmpuint (plan->notices->len, ==, 1);
  g_assert_nonnull (strstr (plan->notices->pdata[0], "\"/usr/share/games\""));
  g_clear_pointer (&plan, pv_plan_free);
  pv_fake_clear (&fake);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/plan/merged-usr", test_merged_usr);
  pv_fixture_add ("/plan/complete-root", test_complete_root);
  pv_fixture_add ("/plan/writable-root", test_writable_root);
  pv_fixture_add ("/plan/host", test_host);
  pv_fixture_add ("/plan/homes", test_homes);
  pv_fixture_add ("/plan/runtime-dir", test_runtime_dir);
  pv_fixture_add ("/plan/resolv-conf", test_resolv_conf);
  pv_fixture_add ("/plan/reserved", test_reserved);
  pv_fixture_add ("/plan/notices", test_notices);
  return g_test_run ();
}
