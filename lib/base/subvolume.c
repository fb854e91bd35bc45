/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See btrfs-subvolume(8); what its ioctls do is written in linux/btrfs.h and in btrfs-ioctl(3). */
#include "base/subvolume.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/**
 * pv_subvolume_is:
 * @fd: an open folder
 *
 * Returns: whether it is a btrfs subvolume
 */
gboolean
pv_subvolume_is (int fd)
{
  struct statfs fs;
  struct stat st;

  return fstat (fd, &st) == 0 && st.st_ino == BTRFS_FIRST_FREE_OBJECTID && fstatfs (fd, &fs) == 0
         && fs.f_type == BTRFS_SUPER_MAGIC;
}

/**
 * pv_subvolume_delete:
 * @dir_fd: an open folder; not `O_PATH`
 * @name: (type filename): one name in it
 * @fd: that folder, whatever it is
 *
 * Deletes a btrfs subvolume with all that is in it: as root, or where the filesystem is mounted with
 * `user_subvol_rm_allowed`, unless there is another one in it.  If that does not work, it can be
 * emptied and deleted like a folder afterwards, since Linux 4.18.
 *
 * Returns: whether it is gone
 */
gboolean
pv_subvolume_delete (int dir_fd, const char *name, int fd)
{
  struct btrfs_ioctl_vol_args args = { .fd = 0 };
  guint64 flags;

  if (!pv_subvolume_is (fd))
    return FALSE;
  if (g_strlcpy (args.name, name, sizeof args.name) < sizeof args.name
      && ioctl (dir_fd, BTRFS_IOC_SNAP_DESTROY, &args) == 0)
    return TRUE;
  /* Whoever made it may have made it read-only. */
  if (ioctl (fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == 0 && (flags & BTRFS_SUBVOL_RDONLY) != 0)
    {
      flags &= ~(guint64) BTRFS_SUBVOL_RDONLY;
      ioctl (fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags);
    }
  return FALSE;
}
