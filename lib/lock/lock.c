/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lock/lock.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/openat2.h"
#include "lock/range.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Somebody who replaces the folder this often between two system calls means to. */
#define MAX_LOOK_UPS 64

/* How long to wait for one lock file before looking whether its name still leads to it. */
#define SLICE_MS 250

struct _PvLock
{
  int fd;        /* owned */
  int folder_fd; /* owned */
  char *name;    /* in it */
  PvLockMode mode;
  gboolean process_oriented;
};

/* Takes over @fd and @folder_fd. */
static PvLock *
lock_new (int fd, int folder_fd, const char *name, PvLockMode mode, gboolean process_oriented)
{
  PvLock *lock = g_new0 (PvLock, 1);

  lock->fd = fd;
  lock->folder_fd = folder_fd;
  lock->name = g_strdup (name);
  lock->mode = mode;
  lock->process_oriented = process_oriented;
  return lock;
}

static char *
describe (int folder_fd, const char *name)
{
  g_autofree char *folder = pv_fd_get_path (folder_fd);

  return g_build_filename (folder != NULL ? folder : "?", name, NULL);
}

/* Tests stop here, to change what the names lead to while nobody holds a lock. */
static void
test_window (const char *when)
{
#ifdef PV_TEST_HOOKS
  const char *hook = getenv ("PV_LAUNCH_TEST_LOCK_WINDOW");
  g_auto (GStrv) words = NULL;
  char byte;
  ssize_t ignored G_GNUC_UNUSED;

  if (hook == NULL)
    return;
  /* WHEN:WRITE_FD:READ_FD: say that the window is open, and wait until the test has done its part */
  words = g_strsplit (hook, ":", 3);
  if (g_strv_length (words) != 3 || strcmp (words[0], when) != 0)
    return;
  ignored = write (atoi (words[1]), "w", 1);
  ignored = read (atoi (words[2]), &byte, 1);
#endif
}

/* Whoever can read the folder must be able to lock, whatever the umask of the first to come. */
static int
create_lock_file (int folder_fd, const char *name, int access)
{
  /* O_EXCL: no link is ever followed here. */
  int fd = pv_openat2 (folder_fd, name, access | O_CREAT | O_EXCL | O_NONBLOCK, 0644,
                       PV_RESOLVE_BENEATH);
  struct stat folder;

  if (fd >= 0 && fstat (folder_fd, &folder) == 0)
    fchmod (fd, (folder.st_mode & 0444) | S_IRUSR | S_IWUSR);
  return fd;
}

static void
set_open_error (int saved_errno, int folder_fd, const char *name, GError **error)
{
  g_autofree char *path = describe (folder_fd, name);

  if (saved_errno == EXDEV)
    pv_error_set (error, PV_ERROR_INVALID, "Cannot open lock file \"%s\": it leads out of its folder",
                  path);
  else if (saved_errno == ENXIO)
    pv_error_set (error, PV_ERROR_INVALID, "Cannot lock \"%s\": not a regular file", path);
  else
    pv_error_set_errno (error, saved_errno, "Cannot open lock file \"%s\"", path);
  if (saved_errno == EACCES && faccessat (folder_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    pv_error_hint (error, "whoever owns it can make it readable: chmod a+r \"%s\"", path);
}

/* A shared lock needs no write permission; O_NONBLOCK: a FIFO must not stop us. */
static int
open_lock_file (int folder_fd, const char *name, PvLockMode mode, PvLockFlags flags, GError **error)
{
  int access = mode == PV_LOCK_EXCLUSIVE ? O_RDWR : O_RDONLY;
  int fd = pv_openat2 (folder_fd, name, access | O_NONBLOCK, 0, PV_RESOLVE_BENEATH);

  if (fd < 0 && errno == ENOENT && (flags & PV_LOCK_CREATE))
    {
      fd = create_lock_file (folder_fd, name, access);
      /* It has come meanwhile. */
      if (fd < 0 && errno == EEXIST)
        fd = pv_openat2 (folder_fd, name, access | O_NONBLOCK, 0, PV_RESOLVE_BENEATH);
    }
  if (fd < 0)
    set_open_error (errno, folder_fd, name, error);
  return fd;
}

static gboolean
check_is_file (int fd, int folder_fd, const char *name, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    return TRUE;

  {
    g_autofree char *path = describe (folder_fd, name);

    return pv_error_set (error, PV_ERROR_INVALID, "Cannot lock \"%s\": not a regular file", path);
  }
}

static gboolean
lock_fd (int fd, PvLockMode mode, const PvLockWait *wait, gboolean *ret_process_oriented,
         GError **error)
{
  const char *kind = mode == PV_LOCK_EXCLUSIVE ? "exclusively" : "shared";
  g_autofree char *path = NULL;
  int saved_errno;

  if (pv_range_lock (fd, mode, PV_LOCK_NEVER_WAIT, ret_process_oriented))
    return TRUE;

  /* To ask /proc costs more than the lock: only where something has to be said. */
  saved_errno = errno;
  path = pv_fd_get_path (fd);
  errno = saved_errno;

  if (errno == EAGAIN && wait != NULL && wait->timeout_ms != PV_LOCK_NEVER_WAIT)
    {
      if (wait->on_wait != NULL)
        wait->on_wait (path, mode, pv_range_get_holder (fd, mode), wait->data);
      if (pv_range_lock (fd, mode, wait->timeout_ms, ret_process_oriented))
        return TRUE;
    }

  if (errno == EAGAIN)
    return pv_error_set (error, PV_ERROR_BUSY, "Cannot lock \"%s\" %s: in use by another process",
                         path, kind);
  return pv_error_set_errno (error, errno, "Cannot lock \"%s\" %s", path, kind);
}

static gboolean
same_file (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A lock on a file that somebody has deleted or replaced protects nothing.  The name is looked at
 * with stat: to open it once more would, on close, lose a process-oriented lock. */
static gboolean
check_is_current (int fd, int folder_fd, const char *name, GError **error)
{
  struct stat held, named;
  pv_autofd path_fd = pv_openat2 (folder_fd, name, O_PATH, 0, PV_RESOLVE_BENEATH);

  if (path_fd >= 0 && fstat (fd, &held) == 0 && fstat (path_fd, &named) == 0
      && same_file (&held, &named))
    return TRUE;

  {
    g_autofree char *path = describe (folder_fd, name);

    return pv_error_set (error, PV_ERROR_CHANGED, "Cannot lock \"%s\": it was replaced meanwhile",
                         path);
  }
}

/**
 * pv_lock_acquire_at:
 * @folder_fd: the folder in which the lock file lies; `O_PATH` will do
 * @name: (type filename): the lock file, relative to @folder_fd; a symbolic link is followed only
 *  if it does not lead out of the folder
 * @mode: a shared lock is opened `O_RDONLY`, so that it can be had on a read-only filesystem
 * @flags: whether to create it
 * @wait: (nullable): %NULL: never wait
 *
 * Takes a lock, and makes sure that @name still is the file that was locked.
 *
 * Returns: (transfer full): the lock, or %NULL with @error set: %PV_ERROR_BUSY,
 *  %PV_ERROR_CHANGED (try again), %PV_ERROR_NOT_FOUND, %PV_ERROR_UNSUPPORTED (`ENOLCK`),
 *  %PV_ERROR_FAILED
 */
PvLock *
pv_lock_acquire_at (int folder_fd, const char *name, PvLockMode mode, PvLockFlags flags,
                    const PvLockWait *wait, GError **error)
{
  pv_autofd fd = open_lock_file (folder_fd, name, mode, flags, error);
  gboolean process_oriented;

  if (fd < 0)
    return NULL;
  if (!check_is_file (fd, folder_fd, name, error))
    return NULL;

  test_window ("opened");
  if (!lock_fd (fd, mode, wait, &process_oriented, error))
    return NULL;
  if (!check_is_current (fd, folder_fd, name, error))
    return NULL;

  return lock_new (pv_fd_steal (&fd), fcntl (folder_fd, F_DUPFD_CLOEXEC, 3), name, mode,
                   process_oriented);
}

/* Whether the name still leads to the folder. */
static gboolean
check_folder_is_current (const PvLockFolder *folder, int folder_fd, GError **error)
{
  pv_autofd again = folder->open (folder->data, error);
  struct stat then, now;

  if (again < 0)
    return FALSE;
  if (fstat (folder_fd, &then) == 0 && fstat (again, &now) == 0 && same_file (&then, &now))
    return TRUE;
  return pv_error_set (error, PV_ERROR_CHANGED, "Cannot lock: the folder was replaced meanwhile");
}

/* The part of a wait that is left, cut into slices: whoever waits for the lock of a folder that was
 * renamed away must notice that its name has come to mean another one. */
static PvLockWait
next_slice (const PvLockWait *wait, gint64 started)
{
  PvLockWait slice = { .timeout_ms = PV_LOCK_NEVER_WAIT };
  gint64 left;

  if (wait == NULL)
    return slice;

  slice = *wait;
  left = wait->timeout_ms - (g_get_monotonic_time () - started) / 1000;
  if (wait->timeout_ms == PV_LOCK_WAIT_FOREVER || left > SLICE_MS)
    slice.timeout_ms = SLICE_MS;
  else
    slice.timeout_ms = (int) MAX (left, 0);
  return slice;
}

/* One look-up, one lock, one look-up.  %PV_ERROR_CHANGED: the name has come to mean something else */
static PvLock *
acquire_once (const PvLockFolder *folder, const char *name, PvLockMode mode, const PvLockWait *wait,
              int *ret_folder_fd, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (PvLock) lock = NULL;
  pv_autofd folder_fd = folder->open (folder->data, error);

  if (folder_fd < 0)
    return NULL;

  lock = pv_lock_acquire_at (folder_fd, name, mode, PV_LOCK_FLAGS_NONE, wait, &local_error);
  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND) && folder->may_create != NULL
      && folder->may_create (folder_fd, folder->data))
    {
      test_window ("missing");
      if (!check_folder_is_current (folder, folder_fd, error))
        return NULL;
      g_clear_error (&local_error);
      lock = pv_lock_acquire_at (folder_fd, name, mode, PV_LOCK_CREATE, wait, &local_error);
    }

  /* A lock that could not be had in a folder that is no longer meant is no failure. */
  if (!check_folder_is_current (folder, folder_fd, error))
    return NULL;
  if (lock == NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  else
    *ret_folder_fd = pv_fd_steal (&folder_fd);
  return g_steal_pointer (&lock);
}

/**
 * pv_lock_acquire:
 * @folder: where to look for the folder
 * @name: (type filename): the lock file in it
 * @mode: the mode
 * @wait: (nullable): %NULL: never wait; the time counts for all attempts together
 * @ret_folder_fd: (out): the folder that is locked, as @folder opened it; the caller owns it
 *
 * Takes a lock and looks the folder up again: if its name now leads to another folder, or the lock
 * file was replaced, lets go and starts afresh, a bounded number of times.  Nothing is created in a
 * folder to which the name no longer leads.
 *
 * Returns: (transfer full): the lock, or %NULL with @error set, as pv_lock_acquire_at()
 */
PvLock *
pv_lock_acquire (const PvLockFolder *folder, const char *name, PvLockMode mode,
                 const PvLockWait *wait, int *ret_folder_fd, GError **error)
{
  gint64 started = g_get_monotonic_time ();
  gboolean told = FALSE;
  int changes = 0;

  for (;;)
    {
      g_autoptr (GError) local_error = NULL;
      PvLockWait slice = next_slice (wait, started);
      PvLock *lock;

      if (told)
        slice.on_wait = NULL;
      lock = acquire_once (folder, name, mode, &slice, ret_folder_fd, &local_error);
      if (lock != NULL)
        return lock;

      if (g_error_matches (local_error, PV_ERROR, PV_ERROR_CHANGED) && changes++ < MAX_LOOK_UPS)
        {
          pv_debug ("Looking up again: %s", local_error->message);
          continue;
        }
      if (!g_error_matches (local_error, PV_ERROR, PV_ERROR_BUSY)
          || slice.timeout_ms == PV_LOCK_NEVER_WAIT)
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      told = TRUE;
    }
}

/* Opens the locked file once more.  Its name still leads to it, or /proc does, which is dear. */
static int
open_again (const PvLock *lock)
{
  pv_autofd fd
    = pv_openat2 (lock->folder_fd, lock->name, O_RDONLY | O_NONBLOCK, 0, PV_RESOLVE_BENEATH);
  g_autofree char *link = NULL;
  struct stat held, opened;

  if (fd >= 0 && fstat (lock->fd, &held) == 0 && fstat (fd, &opened) == 0
      && same_file (&held, &opened))
    return pv_fd_steal (&fd);

  link = g_strdup_printf ("/proc/self/fd/%d", lock->fd);
  return open (link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

/**
 * pv_lock_share:
 * @lock: a shared lock
 *
 * Gives a further holder a lock of its own, on an open file description of its own: if one of them
 * unlocks or dies, the others still hold theirs.  Where the lock is process-oriented, this is a
 * duplicate of the fd, and the process that inherits it must lock it again.
 *
 * Returns: (transfer full): the further lock, or %NULL with @error set
 */
PvLock *
pv_lock_share (const PvLock *lock, GError **error)
{
  pv_autofd fd = -1;
  gboolean process_oriented = lock->process_oriented;

  g_return_val_if_fail (lock->mode == PV_LOCK_SHARED, NULL);

  fd = process_oriented ? fcntl (lock->fd, F_DUPFD_CLOEXEC, 3) : open_again (lock);
  if (fd < 0
      || (!process_oriented
          && !pv_range_lock (fd, PV_LOCK_SHARED, PV_LOCK_NEVER_WAIT, &process_oriented)))
    {
      int saved_errno = errno;
      g_autofree char *path = pv_lock_get_path (lock);

      pv_error_set_errno (error, saved_errno, "Cannot share lock on \"%s\"", path);
      return NULL;
    }
  return lock_new (pv_fd_steal (&fd), fcntl (lock->folder_fd, F_DUPFD_CLOEXEC, 3), lock->name,
                   PV_LOCK_SHARED, process_oriented);
}

/**
 * pv_lock_release:
 * @lock: (transfer full) (nullable): the lock
 *
 * Lets go.  A process-oriented lock is lost for all duplicates in this process.
 */
void
pv_lock_release (PvLock *lock)
{
  if (lock == NULL)
    return;
  pv_fd_clear (&lock->fd);
  pv_fd_clear (&lock->folder_fd);
  g_free (lock->name);
  g_free (lock);
}

/**
 * pv_lock_get_fd:
 *
 * Returns: the fd; @lock still owns it
 */
int
pv_lock_get_fd (const PvLock *lock)
{
  return lock->fd;
}

/**
 * pv_lock_give_fd_away:
 * @lock: (transfer full): gone afterwards
 *
 * Returns: the fd, which holds the lock as long as it is open anywhere; the caller owns it, and it
 *  is close-on-exec
 */
int
pv_lock_give_fd_away (PvLock *lock)
{
  int fd = pv_fd_steal (&lock->fd);

  pv_lock_release (lock);
  return fd;
}

PvLockMode
pv_lock_get_mode (const PvLock *lock)
{
  return lock->mode;
}

/**
 * pv_lock_is_process_oriented:
 *
 * Returns: whether this is an `F_SETLK` lock, which is not inherited, and is lost when the process
 *  closes any fd of the same file
 */
gboolean
pv_lock_is_process_oriented (const PvLock *lock)
{
  return lock->process_oriented;
}

/**
 * pv_lock_get_path:
 *
 * Returns: (transfer full) (nullable): the path of the lock file at this moment, for messages
 */
char *
pv_lock_get_path (const PvLock *lock)
{
  return pv_fd_get_path (lock->fd);
}
