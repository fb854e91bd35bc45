/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lock/filesystem.h"

#include <linux/magic.h>
#include <sys/vfs.h>

/* Those that <linux/magic.h> of Debian 12 lacks; from fs/smb/client, fs/fuse and fs/ceph. */
#define CIFS_MAGIC 0xff534d42
#define SMB2_MAGIC 0xfe534d42
#define FUSE_MAGIC 0x65735546
#define CEPH_MAGIC 0x00c36400
#define AFS_MAGIC 0x6b414653
#define LUSTRE_MAGIC 0x0bd00bd0
#define GFS2_MAGIC_NUMBER 0x01161970

/* virtiofs has the magic of FUSE. */
static const struct
{
  guint32 magic;
  PvFilesystemKind kind;
  const char *name;
} filesystems[] = {
  { NFS_SUPER_MAGIC, PV_FILESYSTEM_REMOTE, "NFS" },
  { SMB_SUPER_MAGIC, PV_FILESYSTEM_REMOTE, "SMB" },
  { CIFS_MAGIC, PV_FILESYSTEM_REMOTE, "CIFS" },
  { SMB2_MAGIC, PV_FILESYSTEM_REMOTE, "SMB2" },
  { V9FS_MAGIC, PV_FILESYSTEM_REMOTE, "9p" },
  { FUSE_MAGIC, PV_FILESYSTEM_REMOTE, "FUSE" },
  { CEPH_MAGIC, PV_FILESYSTEM_REMOTE, "CephFS" },
  { AFS_SUPER_MAGIC, PV_FILESYSTEM_REMOTE, "AFS" },
  { AFS_MAGIC, PV_FILESYSTEM_REMOTE, "AFS" },
  { CODA_SUPER_MAGIC, PV_FILESYSTEM_REMOTE, "Coda" },
  { LUSTRE_MAGIC, PV_FILESYSTEM_REMOTE, "Lustre" },
  { GFS2_MAGIC_NUMBER, PV_FILESYSTEM_REMOTE, "GFS2" },
  { OVERLAYFS_SUPER_MAGIC, PV_FILESYSTEM_OVERLAY, "overlay" },
};

PvFilesystemKind
pv_filesystem_kind_of_magic (guint32 magic, const char **ret_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (filesystems); i++)
    {
      if (filesystems[i].magic == magic)
        {
          *ret_name = filesystems[i].name;
          return filesystems[i].kind;
        }
    }
  *ret_name = "local";
  return PV_FILESYSTEM_LOCAL;
}

/**
 * pv_filesystem_get_kind:
 * @fd: an open fd of the lock file
 * @ret_name: (out) (transfer none): what to call the filesystem in a message
 *
 * Returns: how far a lock on @fd reaches; one that is not known is taken as local
 */
PvFilesystemKind
pv_filesystem_get_kind (int fd, const char **ret_name)
{
  struct statfs st;

  *ret_name = "local";
  if (fstatfs (fd, &st) < 0)
    return PV_FILESYSTEM_LOCAL;
  return pv_filesystem_kind_of_magic ((guint32) st.f_type, ret_name);
}
