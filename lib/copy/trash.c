/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is deleted gets another name first, for which no launch has to wait.  The supervisor, which
 * knows nothing but libc, does the same: supervise/removal.c. */
#include "copy/trash.h"

#include "copy/disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How many names are tried. */
#define MAX_NAMES 1000

/**
 * pv_trash_move:
 * @parent_fd: a folder of copies
 * @name: (type filename): something of ours in it, which nobody uses; `tmp-*`, `base-*`, `.new-*`
 * @ret_trash: (out) (type filename): its name from now on: the former one, if there is no other of
 *  that name yet
 *
 * Returns: 0, or errno
 */
int
pv_trash_move (int parent_fd, const char *name, char **ret_trash)
{
  int saved_errno = EEXIST;

  for (int i = 0; i < MAX_NAMES; i++)
    {
      g_autofree char *trash =
          i == 0 ? g_strconcat (PV_COPY_TRASH, strchr (name, '-') + 1, NULL)
                 : g_strdup_printf (PV_COPY_TRASH "%d-%d", getpid (), i);
      int result = renameat2 (parent_fd, name, parent_fd, trash, RENAME_NOREPLACE);

      /* A filesystem that cannot do that.  All that this could replace is an empty folder. */
      if (result < 0 && errno == EINVAL)
        result = renameat (parent_fd, name, parent_fd, trash);
      if (result == 0)
        {
          *ret_trash = g_steal_pointer (&trash);
          return 0;
        }
      saved_errno = errno;
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR && errno != ENAMETOOLONG)
        break;
    }
  return saved_errno;
}
