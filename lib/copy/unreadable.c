/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user cannot read, a program that he runs in the runtime itself cannot read either: a copy
 * does without.  What is his own he can make readable: that is an error, and not left out. */
#include "copy/unreadable.h"

#include "base/log.h"
#include "copy/file-error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

PvUnreadable *
pv_unreadable_new (void)
{
  PvUnreadable *self = g_new0 (PvUnreadable, 1);

  g_mutex_init (&self->mutex);
  return self;
}

void
pv_unreadable_free (PvUnreadable *unreadable)
{
  if (unreadable == NULL)
    return;
  g_mutex_clear (&unreadable->mutex);
  g_free (unreadable->first);
  g_free (unreadable);
}

static gboolean
is_of_somebody_else (int dir_fd, const char *name)
{
  struct stat st;

  return fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != geteuid ();
}

/**
 * pv_unreadable_add:
 * @unreadable: (nullable): %NULL: nothing may be left out
 * @saved_errno: why @name cannot be read
 * @folder, @fds: where it is
 * @name: (type filename): in @folder
 *
 * Returns: %TRUE if it is somebody else who forbids it: then it is counted; %FALSE: it is an error
 */
gboolean
pv_unreadable_add (PvUnreadable *unreadable, int saved_errno, const PvFolder *folder,
                   const PvFolderFds *fds, const char *name)
{
  g_autofree char *path = NULL;

  if (unreadable == NULL || saved_errno != EACCES || !is_of_somebody_else (fds->source, name))
    return FALSE;
  path = pv_folder_get_path (folder, name);
  pv_debug ("Cannot read \"%s\", which is left out", path);
  g_mutex_lock (&unreadable->mutex);
  if (unreadable->count++ == 0)
    unreadable->first = g_steal_pointer (&path);
  g_mutex_unlock (&unreadable->mutex);
  return TRUE;
}

/**
 * pv_unreadable_set_attributes:
 * @name: (type filename): a folder that cannot be read; in the copy it is there, and stays empty
 *
 * Gives it the mode and the times of the source.
 */
gboolean
pv_unreadable_set_attributes (const PvFolderFds *fds, const char *name, GError **error)
{
  struct stat st;
  struct timespec times[2];

  if (fstatat (fds->source, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return pv_file_error_set (error, errno, "look at", fds->source, name);
  if (!S_ISDIR (st.st_mode))
    return pv_file_error_set_changed (error, fds->source, name);
  if (fchmodat (fds->dest, name, st.st_mode & 07777, 0) < 0)
    return pv_file_error_set (error, errno, "set the mode of", fds->dest, name);
  times[0] = st.st_atim;
  times[1] = st.st_mtim;
  return utimensat (fds->dest, name, times, AT_SYMLINK_NOFOLLOW) == 0
         || pv_file_error_set (error, errno, "set the time of", fds->dest, name);
}
