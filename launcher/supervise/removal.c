/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removes a mutable copy when nobody is left who uses it: "Mutable copies" in lock/locking.md. */
#include "supervise/removal.h"
#include "supervise/fds.h"
#include "supervise/message.h"
#include "supervise/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRASH ".trash-"

/* How often a lock is tried, and how long not. */
#define MAX_TRIES 4
#define PAUSE_NS 1000000

/* Of renameat2(2). */
#define NO_REPLACE 1

/* How many names are tried. */
#define MAX_NAMES 1000

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

/* Returns: whether it is locked, and its name still means it */
static bool
lock_named (int ref, int parent, const char *name)
{
  char path[NAME_MAX + sizeof "/usr/.ref"];
  struct stat locked, named;

  snprintf (path, sizeof path, "%s/usr/.ref", name);
  return lock_exclusively (ref) && fstat (ref, &locked) == 0
         && fstatat (parent, path, &named, AT_SYMLINK_NOFOLLOW) == 0
         && locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

/* @usr: what the program may have closed; whoever still uses it is to find it so */
static int
take_in (int usr, mode_t former, int parent, const char *name)
{
  int ref = pv_tree_open (usr, ".ref", O_RDWR | O_NONBLOCK, NULL);

  if (ref >= 0 && lock_named (ref, parent, name))
    return ref;
  if ((former & 0700) != 0700)
    fchmod (usr, former);
  close (ref);
  return -1;
}

/* Returns: the copy's lock file, locked, or -1: somebody else is there, and will remove it */
static int
take (int parent, const char *name)
{
  int copy = pv_tree_open (parent, name, O_RDONLY | O_DIRECTORY, NULL);
  mode_t former;
  int usr, ref;

  if (copy < 0 || faccessat (copy, "keep", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return -1;
  usr = pv_tree_open (copy, "usr", O_RDONLY | O_DIRECTORY, &former);
  ref = usr < 0 ? -1 : take_in (usr, former, parent, name);
  /* Where the lock file is gone a cleaner knows it by its mode. */
  if (ref < 0)
    fchmod (copy, 0700);
  close (usr);
  close (copy);
  return ref;
}

/* A filesystem that cannot do it without replacing: all that this could replace is an empty folder. */
static bool
move (int parent, const char *name, const char *trash)
{
  return syscall (SYS_renameat2, parent, name, parent, trash, NO_REPLACE) == 0
         || (errno == EINVAL && renameat (parent, name, parent, trash) == 0);
}

/* Under another name, if there is something of this one.
 * @trash: (out): at least NAME_MAX + 1 bytes */
static bool
move_to_trash (int parent, const char *name, char *trash)
{
  for (int i = 0; i < MAX_NAMES; i++)
    {
      if (i == 0)
        snprintf (trash, NAME_MAX + 1, "%s%s", TRASH, name + strlen ("tmp-"));
      else
        snprintf (trash, NAME_MAX + 1, "%s%d-%d", TRASH, (int) getpid (), i);
      if (move (parent, name, trash))
        return true;
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR && errno != ENAMETOOLONG)
        break;
    }
  return false;
}

/* Returns: whether it is for this process to go on: it is the one there, or there can be no other */
static bool
go_to_background (void)
{
  pid_t child = fork ();
  int null;

  if (child != 0)
    return child < 0;
  setsid ();
  null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
    dup2 (null, fd);
  close (null);
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
  if (ref < 0 || !move_to_trash (parent, name, trash))
    return;
  /* Nobody looks for it under this name, and a lock that excludes is not inherited. */
  close (ref);
  if (!detached || go_to_background ())
    pv_tree_delete (parent, trash);
}
