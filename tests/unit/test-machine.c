/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "fixture.h"
#include "runtime/machine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Machines that no emulator of the host can be registered for. */
static const struct
{
  const char *loader;
  const char *machine;
  gboolean fits;
} rows[] = {
  { "lib64/ld-linux-x86-64.so.2", "x86_64", TRUE },
  { "lib64/ld-linux-x86-64.so.2", "fake", FALSE },
  { "lib/ld-linux.so.2", "i686", TRUE },
  { "lib/ld-linux.so.2", "x86_64", TRUE },
  { "lib/ld-linux.so.2", "fake", FALSE },
  { "lib/ld-linux-aarch64.so.1", "aarch64", TRUE },
  { "lib/ld-linux-armhf.so.3", "aarch64", TRUE },
  { "lib/ld-musl-x86_64.so.1", "x86_64", TRUE },
  { "lib64/ld64.so.2", "ppc64le", TRUE },
  { "lib/ld-linux-riscv64-lp64d.so.1", "riscv64", TRUE },
  { "lib64/ld-linux-x86-64.so.2>/nowhere/ld.so", "x86_64", TRUE },
  { "lib64/ld-linux-x86-64.so.2>/nowhere/ld.so", "fake", FALSE },
  { "bin/static", "fake", TRUE },
};

static void
test_loaders (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  if (access ("/proc/sys/fs/binfmt_misc/qemu-x86_64", F_OK) == 0)
    {
      g_test_skip ("an emulator is registered: every machine fits");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *folder = g_strdup_printf ("%zu", i);
      g_autofree char *entry = g_build_filename (folder, rows[i].loader, NULL);
      const char *const made[] = { entry, NULL };
      g_autoptr (GError) error = NULL;
      int fd;

      pv_fixture_make (fixture, made);
      fd = openat (fixture->dir_fd, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
      g_assert_cmpint (pv_machine_check (fd, rows[i].machine, "scout", &error), ==, rows[i].fits);
      close (fd);
      if (rows[i].fits)
        continue;
      g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, "\"scout\""));
      g_assert_nonnull (strstr (error->message, "this machine is fake"));
    }
}

/* One that fits is enough. */
static void
test_several (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const made[] = { "lib/ld-linux-aarch64.so.1", "lib64/ld-linux-x86-64.so.2",
                                      NULL };

  pv_fixture_make (fixture, made);
  g_assert_true (pv_machine_check (fixture->dir_fd, "aarch64", "both", NULL));
  g_assert_true (pv_machine_check (fixture->dir_fd, "x86_64", "both", NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/machine/loaders", test_loaders);
  pv_fixture_add ("/machine/several", test_several);
  return g_test_run ();
}
