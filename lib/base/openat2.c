/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/openat2.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

static guint64
resolve_flags (PvResolve resolve)
{
  switch (resolve)
    {
    case PV_RESOLVE_BENEATH:
      return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    case PV_RESOLVE_IN_ROOT:
      return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    case PV_RESOLVE_NO_LINKS:
      return RESOLVE_NO_SYMLINKS;
    case PV_RESOLVE_NO_MOUNTS:
      return RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    case PV_RESOLVE_ANYWHERE:
    default:
      return 0;
    }
}

/**
 * pv_openat2:
 * @dir_fd: an open folder, or `AT_FDCWD`
 * @path: (type filename): relative to @dir_fd
 * @flags: of open(2); `O_CLOEXEC` and `O_NOCTTY` are added
 * @mode: for `O_CREAT`, otherwise 0
 * @resolve: how far @path may lead
 *
 * openat2(2), which is in Linux since 5.6.  A sandbox that filters it makes it fail with `ENOSYS`:
 * there is no fallback but for %PV_RESOLVE_ANYWHERE, since nothing else gives the same promise.
 *
 * Returns: an fd, or -1 with `errno` set; `EXDEV` where @path led out of @dir_fd or its mount,
 *  `ELOOP` where it has a link and must not, `EAGAIN` (after some tries) where somebody renames folders all the time
 */
int
pv_openat2 (int dir_fd, const char *path, int flags, mode_t mode, PvResolve resolve)
{
  struct open_how how = {
    .flags = (guint64) (flags | O_CLOEXEC | O_NOCTTY),
    .mode = mode,
    .resolve = resolve_flags (resolve),
  };
  int fd = -1;

  if (resolve == PV_RESOLVE_ANYWHERE)
    return openat (dir_fd, path, flags | O_CLOEXEC | O_NOCTTY, mode);

  /* O_PATH goes with few other flags, and openat2 is strict about it. */
  if (flags & O_PATH)
    how.flags &= ~(guint64) O_NOCTTY;

  for (int tries = 0; tries < 64; tries++)
    {
      fd = (int) syscall (SYS_openat2, dir_fd, path, &how, sizeof how);
      if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
        break;
    }
  return fd;
}

/**
 * pv_exists_in_root:
 * @root_fd: an open folder that is taken as `/`
 * @path: (type filename): relative to it
 *
 * Returns: whether @path leads to something inside @root_fd
 */
gboolean
pv_exists_in_root (int root_fd, const char *path)
{
  pv_autofd fd = pv_openat2 (root_fd, path, O_PATH, 0, PV_RESOLVE_IN_ROOT);

  return fd >= 0;
}
