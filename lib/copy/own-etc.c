/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc of a writable copy of a complete root: the container puts files of the host into it, without
 * a capability that would let it write into what belongs to others. */
#include "copy/own-etc.h"

#include "base/fd.h"
#include "base/tree.h"
#include "copy/file-error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * pv_own_etc_is_wanted:
 * @runtime: a complete root
 * @ret_is_there: (out): whether it has the folder
 *
 * Returns: whether a writable copy has `etc` as a folder, which is made if it is missing; not if the
 *  runtime has something else there, such as a link
 */
gboolean
pv_own_etc_is_wanted (const PvRuntime *runtime, gboolean *ret_is_there)
{
  struct stat st;

  *ret_is_there = fstatat (runtime->fd, PV_OWN_ETC, &st, AT_SYMLINK_NOFOLLOW) == 0;
  return !*ret_is_there || S_ISDIR (st.st_mode);
}

/**
 * pv_own_etc_keep:
 * @fd: the copy's `etc`
 *
 * It becomes the caller's, who can write into it.
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_own_etc_keep (int fd, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) == 0 && (st.st_uid == geteuid () || fchown (fd, geteuid (), -1) == 0)
      && ((st.st_mode & S_IRWXU) == S_IRWXU
          || fchmod (fd, (st.st_mode & 07777) | S_IRWXU) == 0))
    return TRUE;
  return pv_file_error_set (error, errno, "keep to oneself", fd, ".");
}

/**
 * pv_own_etc_make:
 * @copy_fd: a copy of @runtime, file by file
 * @runtime: a complete root
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_own_etc_make (int copy_fd, const PvRuntime *runtime, GError **error)
{
  pv_autofd fd = -1;
  gboolean is_there;

  if (!pv_own_etc_is_wanted (runtime, &is_there))
    return TRUE;
  fd = pv_tree_make_at (copy_fd, PV_OWN_ETC, 0755, error);
  return fd >= 0 && pv_own_etc_keep (fd, error);
}
