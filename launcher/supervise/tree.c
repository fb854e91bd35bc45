/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deletes a copy, whatever the program has made of it.  The same as base/tree.c, with libc alone. */
#include "supervise/tree.h"
#include "supervise/subvolume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whoever makes a tree deeper than any runtime's gets no further fds of ours for it: what lies below
 * is moved up. */
#define MAX_DEPTH 48

/* Somebody else who puts new things into what is deleted does not keep us for ever. */
#define MAX_ROUNDS 100000

/* Of openat2(2), whose struct open_how is flags, mode, and this. */
#define NO_MOUNTS 1

/**
 * Deletion: of one tree.
 * @top: the folder itself
 * @n_moved: what was moved up to it so far
 * @n_done: what was moved up or deleted so far
 */
struct deletion
{
  int top;
  unsigned n_moved;
  unsigned n_done;
};

/* What is mounted there is somebody else's.  Before Linux 5.6 nothing tells. */
static int
open_own (int parent, const char *name, int flags)
{
  const uint64_t how[] = { (uint64_t) (unsigned) (flags | O_NOFOLLOW | O_CLOEXEC), 0, NO_MOUNTS };
  int fd = (int) syscall (SYS_openat2, parent, name, how, sizeof how);

  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = openat (parent, name, flags | O_NOFOLLOW | O_CLOEXEC);
  return fd;
}

/* Only a folder or a file of one's own, whatever else the name comes to mean meanwhile. */
static bool
allow (int parent, const char *name, mode_t bits, mode_t *ret_former)
{
  int fd = open_own (parent, name, O_PATH);
  bool done = false;
  char path[32];
  struct stat st;

  if (fd >= 0 && fstat (fd, &st) == 0 && st.st_uid == geteuid ()
      && (S_ISDIR (st.st_mode) || S_ISREG (st.st_mode)))
    {
      *ret_former = st.st_mode & 07777;
      snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
      done = chmod (path, *ret_former | bits) == 0;
    }
  close (fd);
  return done;
}

/**
 * pv_tree_open:
 * @parent: a folder
 * @name: one name in it: a folder, of which the owner may do all from then on, or a file
 * @flags: of open(2)
 * @ret_former: (out) (optional): the permissions that it had
 *
 * Opens also what has lost its permissions, if it is this user's.
 *
 * Returns: an fd, or -1 with errno set
 */
int
pv_tree_open (int parent, const char *name, int flags, mode_t *ret_former)
{
  const mode_t bits = (flags & O_DIRECTORY) != 0 ? 0700 : 0600;
  int fd = open_own (parent, name, flags);
  mode_t former = 0;
  struct stat st;

  if (fd >= 0 && fstat (fd, &st) == 0)
    {
      former = st.st_mode & 07777;
      if ((former & bits) != bits)
        fchmod (fd, former | bits);
    }
  else if (fd < 0 && errno == EACCES && allow (parent, name, bits, &former))
    fd = open_own (parent, name, flags);
  if (ret_former != NULL)
    *ret_former = former;
  return fd;
}

static int
open_folder (int parent, const char *name)
{
  return pv_tree_open (parent, name, O_RDONLY | O_DIRECTORY, NULL);
}

static void
note (struct deletion *self, int result)
{
  self->n_done += result == 0;
}

/* Whatever has that name there is deleted too. */
static void
move_up (struct deletion *self, int parent, const char *name)
{
  char higher[32];
  int result;

  do
    {
      snprintf (higher, sizeof higher, "%u", self->n_moved++);
      result = renameat (parent, name, self->top, higher);
    }
  while (result < 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR));
  note (self, result);
}

static void empty (struct deletion *self, DIR *folder, int depth);

static void
delete_folder (struct deletion *self, int parent, const char *name, int depth)
{
  DIR *folder;
  int fd;

  if (unlinkat (parent, name, AT_REMOVEDIR) == 0)
    {
      self->n_done++;
      return;
    }
  fd = open_folder (parent, name);
  if (depth > 0 && (depth >= MAX_DEPTH || (fd < 0 && errno == EMFILE)))
    move_up (self, parent, name);
  if (fd >= 0 && depth < MAX_DEPTH && !pv_subvolume_delete (parent, name, fd)
      && (folder = fdopendir (fd)) != NULL)
    {
      empty (self, folder, depth + 1);
      closedir (folder);
    }
  else
    close (fd);
  note (self, unlinkat (parent, name, AT_REMOVEDIR));
}

/* One fd for each level is all that this takes. */
static void
empty (struct deletion *self, DIR *folder, int depth)
{
  const struct dirent *entry;
  int fd = dirfd (folder);

  rewinddir (folder);
  while ((entry = readdir (folder)) != NULL)
    {
      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;
      if (entry->d_type != DT_DIR && unlinkat (fd, entry->d_name, 0) == 0)
        self->n_done++;
      else
        delete_folder (self, fd, entry->d_name, depth);
    }
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

/**
 * pv_tree_delete:
 * @name: a folder in @parent
 *
 * Deletes all that can be deleted, however deep.  Of what is mounted there nothing is.
 */
void
pv_tree_delete (int parent, const char *name)
{
  struct deletion deletion = { .top = open_folder (parent, name) };
  unsigned n_done = 0;
  DIR *top;

  if (deletion.top < 0 || pv_subvolume_delete (parent, name, deletion.top))
    return;
  delete_known (deletion.top);
  if (unlinkat (parent, name, AT_REMOVEDIR) == 0 || (top = fdopendir (deletion.top)) == NULL)
    return;
  /* Round by round, until nothing has been moved up; what cannot be deleted stays, and is a
   * cleaner's. */
  for (int i = 0; i < MAX_ROUNDS; i++)
    {
      empty (&deletion, top, 0);
      if (unlinkat (parent, name, AT_REMOVEDIR) == 0 || deletion.n_done == n_done)
        break;
      n_done = deletion.n_done;
    }
  closedir (top);
}
