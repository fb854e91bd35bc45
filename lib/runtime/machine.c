/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/machine.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/**
 * PvLoader: a dynamic loader, and the machines that can run it.
 * @path: below a merged `/usr` or a complete root
 * @machine: whose loader it is, as uname(2) says it
 * @also: (nullable): another machine that runs it without help
 *
 * The paths are those of the psABI supplements, as in glibc's sysdeps and musl's manual.
 */
typedef struct
{
  const char *path;
  const char *machine;
  const char *also;
} PvLoader;

static const PvLoader loaders[] = {
  { "lib64/ld-linux-x86-64.so.2", "x86_64", NULL },
  { "lib/ld-linux.so.2", "i686", "x86_64" },
  { "lib/ld-linux-aarch64.so.1", "aarch64", NULL },
  { "lib/ld-linux-armhf.so.3", "armv7l", "aarch64" },
  { "lib64/ld64.so.2", "ppc64le", NULL },
  { "lib/ld-linux-riscv64-lp64d.so.1", "riscv64", NULL },
  { "lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64", NULL },
  { "lib/ld64.so.1", "s390x", NULL },
  { "lib/ld-musl-x86_64.so.1", "x86_64", NULL },
  { "lib/ld-musl-i386.so.1", "i686", "x86_64" },
  { "lib/ld-musl-aarch64.so.1", "aarch64", NULL },
};

static gboolean
runs_here (const PvLoader *loader, const char *machine)
{
  return strcmp (loader->machine, machine) == 0 || g_strcmp0 (loader->also, machine) == 0;
}

/* The loader itself may be an absolute link; that it is there is enough. */
static gboolean
is_there (int runtime_fd, const PvLoader *loader)
{
  pv_autofd fd
    = pv_openat2 (runtime_fd, loader->path, O_PATH | O_NOFOLLOW, 0, PV_RESOLVE_IN_ROOT);

  return fd >= 0;
}

/* With qemu registered in binfmt_misc(5), foreign programs run as if they were native. */
static gboolean
is_emulated (const char *machine)
{
  g_autofree char *handler = g_strconcat ("/proc/sys/fs/binfmt_misc/qemu-", machine, NULL);

  return access (handler, F_OK) == 0;
}

/**
 * pv_machine_check:
 * @runtime_fd: a merged `/usr` or a complete root
 * @machine: what uname(2) says of this machine
 * @runtime_name: for the message
 *
 * A runtime without any loader passes: static programs need none.
 *
 * Returns: %FALSE with @error set if all of the runtime's loaders are for other machines
 */
gboolean
pv_machine_check (int runtime_fd, const char *machine, const char *runtime_name, GError **error)
{
  const char *foreign = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (loaders); i++)
    {
      gboolean native = runs_here (&loaders[i], machine);

      if ((!native && foreign != NULL) || !is_there (runtime_fd, &loaders[i]))
        continue;
      if (native)
        return TRUE;
      foreign = loaders[i].machine;
    }

  if (foreign == NULL || is_emulated (foreign))
    return TRUE;
  pv_error_set (error, PV_ERROR_INVALID, "Cannot use runtime \"%s\": it is for %s, this machine is %s",
                runtime_name, foreign, machine);
  return pv_error_hint (error, "use a runtime that was built for %s", machine);
}
