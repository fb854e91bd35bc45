/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folders of an overlay over a runtime: "Mutable copies" in lock/locking.md. */
#include "copy/layers.h"

#include "base/fd.h"
#include "base/tree.h"
#include "copy/attributes.h"
#include "copy/disk.h"
#include "copy/file-error.h"
#include "copy/own-etc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* See xattr(7). */
#define MAX_LIST_SIZE 65536

/* By which overlayfs says what of the lower layer is hidden.  The runtime may itself have been a
 * layer once. */
#define OVERLAY_XATTR "user.overlay."

/* The target of the bind of the real lock file hides the runtime's own. */
static gboolean
make_target (int fd, GError **error)
{
  pv_autofd made = openat (fd, PV_COPY_LOCK, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0644);

  return made >= 0 || pv_file_error_set (error, errno, "create", fd, PV_COPY_LOCK);
}

static void
remove_marks (int fd)
{
  g_autofree char *keys = g_malloc (MAX_LIST_SIZE);
  ssize_t length = flistxattr (fd, keys, MAX_LIST_SIZE);

  for (const char *key = keys; length > 0 && key < keys + length; key += strlen (key) + 1)
    {
      if (g_str_has_prefix (key, OVERLAY_XATTR))
        fremovexattr (fd, key);
    }
}

/* What the overlay shows of a folder that both layers have is the upper one's.  Its owner can empty
 * it, whatever the runtime's can. */
static gboolean
copy_attributes (int lower_dir, const char *name, int upper, GError **error)
{
  pv_autofd lower = openat (lower_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;

  if (lower < 0 || fstat (lower, &st) < 0)
    return pv_file_error_set (error, errno, "open folder", lower_dir, name);
  st.st_mode |= S_IRWXU;
  if (!pv_attributes_copy (lower, &st, upper, error))
    return FALSE;
  remove_marks (upper);
  return TRUE;
}

static gboolean
make_upper (int upper, const PvRuntime *runtime, GError **error)
{
  pv_autofd usr = -1;

  if (runtime->layout != PV_LAYOUT_ROOT)
    return make_target (upper, error) && copy_attributes (runtime->fd, ".", upper, error);
  usr = pv_tree_make_at (upper, "usr", 0755, error);
  return usr >= 0 && make_target (usr, error) && copy_attributes (runtime->fd, "usr", usr, error)
         && copy_attributes (runtime->fd, ".", upper, error);
}

/* Of both layers the attributes are the upper one's, and what is written to /etc goes there. */
static gboolean
make_etc (int upper, const PvRuntime *runtime, GError **error)
{
  pv_autofd made = -1;
  gboolean is_there;

  if (!pv_own_etc_is_wanted (runtime, &is_there))
    return TRUE;
  made = pv_tree_make_at (upper, PV_OWN_ETC, 0755, error);
  return made >= 0 && (!is_there || copy_attributes (runtime->fd, PV_OWN_ETC, made, error))
         && pv_own_etc_keep (made, error);
}

/**
 * pv_layers_make:
 * @copy_fd: the folder of a copy, in which are its lock file and nothing else yet
 * @runtime: the lower layer
 * @writable: whether the overlay will be
 *
 * To make and remove a folder takes longer than to mount an overlay: there is a work folder only
 * where the kernel needs one, and the overlay is mounted over its upper layer.
 *
 * Returns: %FALSE with @error set
 */
gboolean
pv_layers_make (int copy_fd, const PvRuntime *runtime, gboolean writable, GError **error)
{
  pv_autofd upper = pv_tree_make_at (copy_fd, "upper", 0755, error);

  if (upper < 0)
    return FALSE;
  if (writable && mkdirat (copy_fd, "work", 0700) < 0)
    return pv_file_error_set (error, errno, "create folder", copy_fd, "work");
  return (!writable || runtime->layout != PV_LAYOUT_ROOT || make_etc (upper, runtime, error))
         && make_upper (upper, runtime, error);
}
