/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "host/identity.h"

#define PASSWD                                                                                     \
  "root:x:0:0:root:/root:/bin/bash\n"                                                              \
  "broken line\n"                                                                                  \
  "ada:x:4711:4712:Ada L,,,:/home/ada:/bin/zsh\n"                                                  \
  "adam:x:4713:4713::/home/adam:/bin/sh"

static void
test_from_files (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvIdentity) identity = NULL;
  g_autofree char *passwd = NULL;
  g_autofree char *group = NULL;

  pv_fixture_write (fixture, "passwd", PASSWD);
  pv_fixture_write (fixture, "group", "root:x:0:\nadas:x:4712:ada,adam\ngames:x:60:ada");
  identity = pv_identity_get (fixture->dir_fd, 4711, 4712);
  g_assert_cmpstr (identity->user, ==, "ada");
  g_assert_cmpstr (identity->group, ==, "adas");
  g_assert_cmpstr (identity->gecos, ==, "Ada L,,,");
  g_assert_cmpstr (identity->home, ==, "/home/ada");

  /* The user comes first and once; "adam" only begins like it; the last line gets its newline. */
  passwd = pv_identity_format_passwd (identity, "/home/ada", "/bin/bash");
  g_assert_cmpstr (passwd, ==,
                   "ada:x:4711:4712:Ada L,,,:/home/ada:/bin/bash\n"
                   "root:x:0:0:root:/root:/bin/bash\n"
                   "broken line\n"
                   "adam:x:4713:4713::/home/adam:/bin/sh\n");
  group = pv_identity_format_group (identity);
  g_assert_cmpstr (group, ==, "adas:x:4712:\nroot:x:0:\ngames:x:60:ada\n");
}

/* Neither the files nor any service knows this one. */
static void
test_unknown (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvIdentity) identity = pv_identity_get (fixture->dir_fd, 2147480001, 2147480002);
  g_autofree char *passwd = pv_identity_format_passwd (identity, "/", "/bin/sh");
  g_autofree char *group = pv_identity_format_group (identity);

  g_assert_cmpstr (passwd, ==, "user2147480001:x:2147480001:2147480002::/:/bin/sh\n");
  g_assert_cmpstr (group, ==, "group2147480002:x:2147480002:\n");
}

/* What is not in the files is asked of the system's services: root is known to them. */
static void
test_from_service (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvIdentity) identity = pv_identity_get (fixture->dir_fd, 0, 0);

  g_assert_cmpstr (identity->user, ==, "root");
  g_assert_cmpstr (identity->group, ==, "root");
  g_assert_cmpstr (identity->host_passwd, ==, "");
}

/* Nothing that a service says can add a field or a line. */
static void
test_hostile (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  char user[] = "a:b\nroot:x:0:0", group[] = "g\nwheel", gecos[] = "x:y", empty[] = "";
  const PvIdentity identity = {
    .uid = 1,
    .gid = 2,
    .user = user,
    .group = group,
    .gecos = gecos,
    .host_passwd = empty,
    .host_group = empty,
  };
  g_autofree char *passwd = pv_identity_format_passwd (&identity, "/home/a:b\nc", "/bin/sh");
  g_autofree char *text = pv_identity_format_group (&identity);

  g_assert_cmpstr (passwd, ==, "a_b_root_x_0_0:x:1:2:x_y:/home/a_b_c:/bin/sh\n");
  g_assert_cmpstr (text, ==, "g_wheel:x:2:\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/identity/from-files", test_from_files);
  pv_fixture_add ("/identity/unknown", test_unknown);
  pv_fixture_add ("/identity/from-service", test_from_service);
  pv_fixture_add ("/identity/hostile", test_hostile);
  return g_test_run ();
}
