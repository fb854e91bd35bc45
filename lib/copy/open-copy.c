/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program may take permissions from its copy, even from who is to remove it.  The supervisor does
 * the same: supervise/tree.c. */
#include "copy/open-copy.h"

#include "base/fd.h"
#include "base/openat2.h"
#include "copy/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only a folder or a file of this user's, whatever else the name comes to mean meanwhile.
 * @ret_former: (out): what was permitted
 * Returns: whether it lacked some of @bits, and has them now */
static gboolean
allow (int dir_fd, const char *name, mode_t bits, mode_t *ret_former)
{
  pv_autofd fd = pv_openat2 (dir_fd, name, O_PATH, 0, PV_RESOLVE_NO_MOUNTS);
  char path[32];
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0 || st.st_uid != geteuid ()
      || (!S_ISDIR (st.st_mode) && !S_ISREG (st.st_mode)) || (st.st_mode & bits) == bits)
    return FALSE;
  *ret_former = st.st_mode & 07777;
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  return chmod (path, *ret_former | bits) == 0;
}

/* Whoever still uses the copy sees the mode of its usr/, but nobody sees those of the others. */
static void
allow_to_lock (PvOpenCopy *self)
{
  pv_autofd usr_fd = -1;
  mode_t ignored;

  self->was_closed = allow (self->fd, "usr", 0700, &self->usr_mode);
  usr_fd = openat (self->fd, "usr", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (usr_fd >= 0)
    allow (usr_fd, PV_COPY_LOCK, 0600, &ignored);
}

/**
 * pv_open_copy:
 * @parent_fd: a folder of copies
 * @name: (type filename): what may be one
 * @may_change: whether a copy that lacks permissions may be given them
 *
 * Returns: it, to be cleared with pv_open_copy_clear(); without an fd and with errno set if it
 *  cannot be opened
 */
PvOpenCopy
pv_open_copy (int parent_fd, const char *name, gboolean may_change)
{
  PvOpenCopy self = { .fd = -1 };
  mode_t ignored;

  may_change = may_change && g_str_has_prefix (name, PV_COPY_PREFIX);
  if (may_change)
    allow (parent_fd, name, 0700, &ignored);
  self.fd = openat (parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (may_change && self.fd >= 0)
    allow_to_lock (&self);
  return self;
}

/**
 * pv_open_copy_clear:
 *
 * Closes it again.  It is well if it has been renamed meanwhile.
 */
void
pv_open_copy_clear (PvOpenCopy *self)
{
  if (self->was_closed)
    {
      pv_autofd usr_fd = openat (self->fd, "usr", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

      if (usr_fd >= 0)
        fchmod (usr_fd, self->usr_mode);
    }
  pv_fd_clear (&self->fd);
}
