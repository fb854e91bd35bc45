/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A btrfs subvolume is copied in constant time.  See btrfs-subvolume(8); what its ioctls do is
 * written in linux/btrfs.h and in btrfs-ioctl(3). */
#include "copy/tree-snapshot.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/subvolume.h"
#include "copy/file-error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Of a subvolume in it, a snapshot has just an empty folder. */
static gboolean
has_subvolumes (int fd)
{
  g_autofree struct btrfs_ioctl_get_subvol_rootref_args *args =
      g_new0 (struct btrfs_ioctl_get_subvol_rootref_args, 1);

  /* EOVERFLOW: more than fit in. */
  if (ioctl (fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, args) < 0)
    return errno == EOVERFLOW;
  return args->num_items > 0;
}

static gboolean
set_unsuitable (GError **error, int fd, const char *why)
{
  g_autofree char *path = pv_fd_get_path (fd);

  return pv_error_set (error, PV_ERROR_UNSUPPORTED, "Cannot make a snapshot of \"%s\": %s", path,
                       why);
}

/* EPERM: it belongs to somebody else. */
static gboolean
cannot_snapshot (int saved_errno)
{
  return saved_errno == EOPNOTSUPP || saved_errno == EXDEV || saved_errno == EINVAL
         || saved_errno == ENOTTY || saved_errno == EPERM || saved_errno == EACCES;
}

/**
 * pv_tree_can_snapshot:
 * @fd: a folder; `O_PATH` will do
 *
 * Returns: whether it is worth trying
 */
gboolean
pv_tree_can_snapshot (int fd)
{
  return pv_subvolume_is (fd);
}

/**
 * pv_tree_snapshot:
 * @source_fd: a folder; `O_PATH` will do
 * @parent_fd: a folder of the caller's own
 * @name: (type filename): what is made in @parent_fd; no such thing may be there
 *
 * Makes a snapshot of a btrfs subvolume, which can be written to.  It has all that the subvolume
 * has, lock files included, which are files of their own, and the same owners: what of it others
 * own, in folders of others, an ordinary user cannot delete again.
 *
 * Returns: %FALSE with @error set, and nothing made: %PV_ERROR_UNSUPPORTED if @source_fd is no
 *  subvolume, has others in it, is on another filesystem than @parent_fd, or belongs to somebody
 *  else
 */
gboolean
pv_tree_snapshot (int source_fd, int parent_fd, const char *name, GError **error)
{
  pv_autofd source = openat (source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  pv_autofd parent = openat (parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct btrfs_ioctl_vol_args_v2 args = { .fd = source };

  if (source < 0)
    return pv_file_error_set (error, errno, "open folder", source_fd, NULL);
  if (parent < 0)
    return pv_file_error_set (error, errno, "open folder", parent_fd, NULL);
  if (!pv_subvolume_is (source))
    return set_unsuitable (error, source, "it is no btrfs subvolume");
  if (has_subvolumes (source))
    return set_unsuitable (error, source, "there are other subvolumes in it");

  if (g_strlcpy (args.name, name, sizeof args.name) >= sizeof args.name)
    return pv_file_error_set (error, ENAMETOOLONG, "create", parent, name);
  if (ioctl (parent, BTRFS_IOC_SNAP_CREATE_V2, &args) == 0)
    return TRUE;
  if (cannot_snapshot (errno))
    return set_unsuitable (error, source, g_strerror (errno));
  return pv_file_error_set (error, errno, "make a snapshot", parent, name);
}
