/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removes a mutable copy when nobody is left who uses it: "Mutable copies" in lock/locking.md. */
#include "supervise/removal.h"
#include "supervise/fds.h"
#include "supervise/message.h"
#include "supervise/subvolume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Whoever makes a tree deeper than any runtime's gets no further fds of ours for it: what lies below
 * is moved up. */
#define MAX_DEPTH 48

#define TRASH ".trash-"

/* How often a lock is tried, and how long not. */
#define MAX_TRIES 4
#define PAUSE_NS 1000000

/* Of renameat2(2). */
#define NO_REPLACE 1

/* Of openat2(2), whose struct open_how is flags, mode, and this. */
#define NO_MOUNTS 1

/* Returns: whether nobody else holds it; process-oriented where the kernel knows nothing else */
static bool
try_to_lock (int fd)
{
  struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

  if (fcntl (fd, F_OFD_SETLK, &whole_file) == 0)
    return true;
  return errno == EINVAL && fcntl (fd, F_SETLK, &whole_file) == 0;
}

/* A cleaner that sees it in use holds it for a moment, and leaves it to this process. */
static bool
lock_exclusively (int fd)
{
  for (int i = 0; i < MAX_TRIES; i++)
    {
      if (try_to_lock (fd))
        return true;
      nanosleep (&(struct timespec) { .tv_nsec = PAUSE_NS }, NULL);
    }
  return false;
}

/* Returns: the copy's lock file, locked, or -1: somebody else is there, and will remove it */
static int
take (int parent, const char *name)
{
  int copy = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int usr = copy < 0 ? -1 : openat (copy, "usr", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int ref = usr < 0 ? -1 : openat (usr, ".ref", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat locked, named;
  char path[NAME_MAX + sizeof "/usr/.ref"];

  snprintf (path, sizeof path, "%s/usr/.ref", name);
  if (ref >= 0 && faccessat (copy, "keep", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && lock_exclusively (ref)
      && fstat (ref, &locked) == 0 && fstatat (parent, path, &named, AT_SYMLINK_NOFOLLOW) == 0
      && locked.st_dev == named.st_dev && locked.st_ino == named.st_ino)
    return ref;
  return -1;
}

/* What is mounted there is somebody else's.  Before Linux 5.6 nothing tells. */
static int
open_own (int parent, const char *name)
{
  const uint64_t how[] = { O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, NO_MOUNTS };
  int fd = (int) syscall (SYS_openat2, parent, name, how, sizeof how);

  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd;
}

/* Also what has lost its permissions.  Returns: an fd, or -1 */
static int
open_folder (int parent, const char *name)
{
  int fd = open_own (parent, name);

  if (fd < 0 && errno == EACCES && fchmodat (parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
    fd = open_own (parent, name);
  return fd;
}

static void empty (int folder, int top, int depth);

static void
delete_folder (int parent, const char *name, int top, int depth)
{
  static int n_moved;
  char higher[32];
  int fd;

  if (unlinkat (parent, name, AT_REMOVEDIR) == 0)
    return;
  if (depth >= MAX_DEPTH)
    {
      snprintf (higher, sizeof higher, "%d", n_moved++);
      renameat (parent, name, top, higher);
      return;
    }
  fd = open_folder (parent, name);
  if (fd < 0)
    return;
  if (!pv_subvolume_delete (parent, name, fd))
    empty (fd, top, depth + 1);
  close (fd);
  unlinkat (parent, name, AT_REMOVEDIR);
}

static void
empty (int folder, int top, int depth)
{
  DIR *entries = fdopendir (fcntl (folder, F_DUPFD_CLOEXEC, 3));
  const struct dirent *entry;

  if (entries == NULL)
    return;
  fchmod (folder, 0700);
  while ((entry = readdir (entries)) != NULL)
    {
      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;
      if (entry->d_type == DT_DIR || unlinkat (folder, entry->d_name, 0) < 0)
        delete_folder (folder, entry->d_name, top, depth);
    }
  closedir (entries);
}

/* An overlay of a merged /usr into which nobody has written, without looking what there is: the
 * launcher waits. */
static void
delete_known (int top)
{
  static const char *const folders[] = { "upper", "usr" };

  for (unsigned i = 0; i < sizeof folders / sizeof folders[0]; i++)
    {
      int fd = open_folder (top, folders[i]);

      unlinkat (fd, ".ref", 0);
      close (fd);
      unlinkat (top, folders[i], AT_REMOVEDIR);
    }
  unlinkat (top, ".ref", 0);
}

static void
delete_all (int parent, const char *name)
{
  int fd = open_folder (parent, name);

  if (fd < 0 || pv_subvolume_delete (parent, name, fd))
    return;
  delete_known (fd);
  /* Again for what was moved up; but what cannot be deleted stays, and is a cleaner's. */
  for (int i = 0; i < 1000 && unlinkat (parent, name, AT_REMOVEDIR) < 0; i++)
    empty (fd, fd, 0);
}

/* A filesystem that cannot do it without replacing: all that this could replace is an empty folder. */
static bool
move (int parent, const char *name, const char *trash)
{
  return syscall (SYS_renameat2, parent, name, parent, trash, NO_REPLACE) == 0
         || (errno == EINVAL && renameat (parent, name, parent, trash) == 0);
}

static bool
go_to_background (void)
{
  int null;

  if (fork () != 0)
    return false;
  setsid ();
  null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
    dup2 (null, fd);
  return true;
}

/**
 * pv_removal_run:
 * @parent: the folder in which it is
 * @name: the copy
 * @detached: whether nobody waits until it has been deleted
 *
 * Lets go of everything, the leases too.  If nobody else holds the copy, it is renamed and deleted.
 */
void
pv_removal_run (int parent, const char *name, bool detached)
{
  char trash[NAME_MAX + 1];
  int ref;

  pv_fds_close_all_but (&parent, 1);
  ref = take (parent, name);
  if (ref < 0)
    return;
  snprintf (trash, sizeof trash, "%s%s", TRASH, name + strlen ("tmp-"));
  if (!move (parent, name, trash))
    return;
  /* Nobody looks for it under this name, and a lock that excludes is not inherited. */
  close (ref);
  if (!detached || go_to_background ())
    delete_all (parent, trash);
}
