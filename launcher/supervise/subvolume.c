/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same as base/subvolume.c, with the numbers of linux/btrfs.h and linux/btrfs_tree.h: libc's
 * headers may be all there are. */
#include "supervise/subvolume.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define BTRFS_MAGIC 0x9123683e
#define INODE_OF_SUBVOLUME 256
#define READ_ONLY 2

struct volume
{
  int64_t fd;
  char name[4088];
};

#define DESTROY _IOW (0x94, 15, struct volume)
#define GET_FLAGS _IOR (0x94, 25, uint64_t)
#define SET_FLAGS _IOW (0x94, 26, uint64_t)

static bool
is_subvolume (int folder)
{
  struct statfs fs;
  struct stat st;

  return fstat (folder, &st) == 0 && st.st_ino == INODE_OF_SUBVOLUME && fstatfs (folder, &fs) == 0
         && (uint32_t) fs.f_type == BTRFS_MAGIC;
}

/**
 * pv_subvolume_delete:
 * @folder: what @name in @parent is, whatever that is
 *
 * Returns: whether a subvolume is gone; if not, what is in it can be deleted one by one
 */
bool
pv_subvolume_delete (int parent, const char *name, int folder)
{
  struct volume volume = { .fd = 0 };
  uint64_t flags;

  if (!is_subvolume (folder))
    return false;
  snprintf (volume.name, sizeof volume.name, "%s", name);
  if (ioctl (parent, DESTROY, &volume) == 0)
    return true;
  if (ioctl (folder, GET_FLAGS, &flags) == 0 && (flags & READ_ONLY) != 0)
    {
      flags &= ~(uint64_t) READ_ONLY;
      ioctl (folder, SET_FLAGS, &flags);
    }
  return false;
}
