/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The overlay of a mutable copy, mounted by ourselves.  What is here makes nothing but system calls,
 * since it runs in a process that shares its parent's memory. */
#include "launch/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was opened before belongs to the other mount namespace, in which nothing can be taken for a
 * layer.  Returns: an fd of the same file or folder in this one, or -1 */
static int
open_again (int at, const char *path, int flags, int before)
{
  int fd = openat (at, path, O_PATH | O_CLOEXEC | flags);
  struct stat here, there;

  if (fd < 0)
    return -1;
  if (fstat (fd, &here) == 0 && fstat (before, &there) == 0 && here.st_dev == there.st_dev
      && here.st_ino == there.st_ino)
    return fd;
  close (fd);
  errno = ESTALE;
  return -1;
}

/* By numbers of fds: a path can have commas and colons.  Without a writable layer there is nothing
 * that the kernel must make, and nothing that must be removed later; with one, nobody will read what
 * would be written to the disk in time: volatile.  The flags are those that bubblewrap would add. */
static gboolean
mount_layers (const PvLaunchCopy *layers, int lower, int copy)
{
  unsigned long flags = MS_NOSUID | MS_NODEV | (layers->writable ? 0 : MS_RDONLY);
  char options[200];
  char target[40];

  if (layers->writable)
    g_snprintf (options, sizeof options,
                "lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d/upper,"
                "workdir=/proc/self/fd/%d/work,userxattr,volatile",
                lower, copy, copy);
  else
    g_snprintf (options, sizeof options,
                "lowerdir=/proc/self/fd/%d/upper:/proc/self/fd/%d,userxattr", copy, lower);
  g_snprintf (target, sizeof target, "/proc/self/fd/%d/upper", copy);
  return mount ("overlay", target, "overlay", flags, options) == 0;
}

/* Overlayfs keeps locks to itself: the file that is locked outside takes the place of its own. */
static gboolean
bind_ref (const PvLaunchCopy *layers, int copy)
{
  int ref = open_again (copy, "usr/.ref", O_NOFOLLOW, layers->ref_fd);
  char source[40], target[60];

  if (ref < 0)
    return FALSE;
  g_snprintf (source, sizeof source, "/proc/self/fd/%d", ref);
  g_snprintf (target, sizeof target, "/proc/self/fd/%d/upper/%s", copy, layers->ref_target);
  return mount (source, target, NULL, MS_BIND, NULL) == 0;
}

/**
 * pv_overlay_make_deletable:
 * @copy_fd: the folder of a mutable copy whose overlay is writable
 *
 * The kernel makes the folders of a work folder with no permission at all, and their owner could not
 * delete what is in them.
 */
gboolean
pv_overlay_make_deletable (int copy_fd)
{
  static const char *const folders[] = { "work/work", "work/work/incompat",
                                         "work/work/incompat/volatile" };

  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      /* What there is of them depends on the way in which it was mounted. */
      if (fchmodat (copy_fd, folders[i], 0700, 0) < 0 && errno != ENOENT)
        return FALSE;
    }
  return TRUE;
}

/**
 * pv_overlay_mount:
 * @copy: what is mounted, over its upper layer; its real lock file is put over the one in it, writable
 *
 * Returns: (nullable): what could not be done, with errno, or %NULL
 */
const char *
pv_overlay_mount (const PvLaunchCopy *copy)
{
  int lower = open_again (AT_FDCWD, copy->lower_path, O_DIRECTORY, copy->lower_fd);
  int fd = lower < 0 ? -1 : open_again (AT_FDCWD, copy->path, O_DIRECTORY, copy->fd);

  if (fd < 0)
    return "find a layer again";
  if (!mount_layers (copy, lower, fd))
    return "mount the overlay";
  if (!bind_ref (copy, fd))
    return "mount the lock file";
  if (copy->writable && !pv_overlay_make_deletable (fd))
    return "change the mode of the overlay's work folder";
  return NULL;
}
