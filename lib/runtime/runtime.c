/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/runtime.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/openat2.h"
#include "runtime/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE ".ref"

/* Any of these makes a folder a merged /usr; a runtime with nothing but static programs has bin. */
static const char *const usr_folders[] = { "bin", "lib", "lib64", "sbin" };

void
pv_runtime_free (PvRuntime *runtime)
{
  if (runtime == NULL)
    return;
  pv_fd_clear (&runtime->fd);
  g_free (runtime->path);
  g_free (runtime->name);
  g_free (runtime);
}

static gboolean
is_same_folder (int fd, const char *path)
{
  struct stat here, there;

  return fstat (fd, &here) == 0 && stat (path, &there) == 0 && here.st_dev == there.st_dev
         && here.st_ino == there.st_ino;
}

static gboolean
is_folder_in (int fd, const char *name)
{
  struct stat st;

  return fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

/* Opens PATH/files if that is a folder, else PATH.  A `files` that cannot be entered, or that leads
 * nowhere, is not passed over: something else was meant.  Returns: -1 with errno set */
static int
open_folder (const char *path)
{
  pv_autofd outer = open (path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  int inner;

  if (outer < 0)
    return -1;
  inner = openat (outer, "files", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (inner >= 0 || (errno != ENOENT && errno != ENOTDIR))
    return inner;
  if (errno == ENOENT && fstatat (outer, "files", &st, AT_SYMLINK_NOFOLLOW) == 0)
    {
      errno = ENOENT;
      return -1;
    }
  return pv_fd_steal (&outer);
}

static int
open_root (void)
{
  return open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static GPtrArray *
list_candidates (const PvRuntimeName *name)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  if (g_path_is_absolute (name->name))
    {
      g_ptr_array_add (paths, g_strdup (name->name));
    }
  else if (name->base != NULL)
    {
      g_ptr_array_add (paths, g_build_filename (name->base, name->name, NULL));
    }
  else
    {
      g_ptr_array_add (paths, g_strdup (name->name));
      for (gsize i = 0; name->store_dirs[i] != NULL; i++)
        g_ptr_array_add (paths, g_build_filename (name->store_dirs[i], name->name, NULL));
    }
  return paths;
}

static gboolean
set_not_found (const PvRuntimeName *name, const GPtrArray *candidates, int saved_errno,
               GError **error)
{
  if (saved_errno == ENOTDIR)
    return pv_error_set (error, PV_ERROR_INVALID, "Cannot use runtime \"%s\": not a folder",
                         name->name);

  pv_error_set_errno (error, saved_errno, "Cannot open runtime \"%s\"", name->name);
  if (candidates->len > 1)
    pv_error_hint (error, "looked in the current folder and in %s; \"pvctl runtime list\" shows what "
                   "is there", name->store_dirs[0]);
  else if (name->base != NULL && !g_path_is_absolute (name->name))
    pv_error_hint (error, "looked for \"%s\"", (const char *) g_ptr_array_index (candidates, 0));
  return FALSE;
}

static int
open_first (const PvRuntimeName *name, GError **error)
{
  g_autoptr (GPtrArray) candidates = list_candidates (name);
  int first_errno = ENOENT;

  for (guint i = 0; i < candidates->len; i++)
    {
      int fd = open_folder (g_ptr_array_index (candidates, i));

      if (fd >= 0)
        return fd;
      if (first_errno == ENOENT)
        first_errno = errno;
    }
  set_not_found (name, candidates, first_errno, error);
  return -1;
}

static gboolean
find_layout (PvRuntime *self, GError **error)
{
  if (is_same_folder (self->fd, "/"))
    {
      self->layout = PV_LAYOUT_HOST;
      return TRUE;
    }
  if (is_folder_in (self->fd, "usr"))
    {
      self->layout = PV_LAYOUT_ROOT;
      return TRUE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (usr_folders); i++)
    {
      if (is_folder_in (self->fd, usr_folders[i]))
        {
          self->layout = PV_LAYOUT_USR;
          return TRUE;
        }
    }

  if (faccessat (self->fd, "usr", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return pv_error_set (error, PV_ERROR_INVALID,
                         "Cannot use runtime \"%s\": its usr is not a folder", self->name);
  pv_error_set (error, PV_ERROR_INVALID, "Cannot use runtime \"%s\": it has neither usr/ nor bin/ "
                "nor lib/", self->name);
  return pv_error_hint (error, "a runtime is a /usr or a whole root filesystem in a folder");
}

/* Takes over @fd. */
static PvRuntime *
runtime_new (const PvRuntimeName *name, int fd, GError **error)
{
  g_autoptr (PvRuntime) self = g_new0 (PvRuntime, 1);

  self->name = g_strdup (name->name);
  self->path = g_strdup (name->name);
  self->fd = fd;
  if (!find_layout (self, error))
    return NULL;
  if (self->layout != PV_LAYOUT_HOST
      && !pv_machine_check (self->fd, name->machine, name->name, error))
    return NULL;
  return g_steal_pointer (&self);
}


static PvRuntime *
look_up (const PvRuntimeName *name, GError **error)
{
  pv_autofd fd = name->name[0] == '\0' ? open_root () : open_first (name, error);

  if (fd < 0)
    return NULL;
  /* The host's /usr by another name is still the host. */
  if (is_same_folder (fd, "/usr"))
    {
      pv_fd_clear (&fd);
      fd = open_root ();
    }
  return runtime_new (name, pv_fd_steal (&fd), error);
}

/**
 * pv_runtime_look_up:
 * @name: what to look for
 *
 * Finds a runtime: `PATH/files` if that is a folder, else `PATH`; `usr/` inside means a complete
 * root, otherwise it must be a merged `/usr`.  Links are followed once, to an open folder.  Nothing
 * is locked or written.
 *
 * Returns: (transfer full): the runtime, or %NULL with @error set: %PV_ERROR_NOT_FOUND,
 *  %PV_ERROR_INVALID, %PV_ERROR_FAILED
 */
PvRuntime *
pv_runtime_look_up (const PvRuntimeName *name, GError **error)
{
  PvRuntime *self = look_up (name, error);
  char *path = self != NULL ? pv_fd_get_path (self->fd) : NULL;

  /* To ask /proc is dear, so only here, and not on the way to a program. */
  if (path != NULL)
    {
      g_free (self->path);
      self->path = path;
    }
  return self;
}

static int
open_for_lock (gconstpointer data, GError **error)
{
  g_autoptr (PvRuntime) runtime = look_up (data, error);

  return runtime != NULL ? pv_fd_steal (&runtime->fd) : -1;
}

static gboolean
has_lock_file (const PvRuntime *self)
{
  return faccessat (self->fd, LOCK_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* STORE/NAME/versions/VERSION/files: whoever made the version made its lock file, or meant not to.*/
static gboolean
is_in_store (int fd, char **store_dirs)
{
  g_autofree char *path = pv_fd_get_path (fd);

  for (gsize i = 0; store_dirs[i] != NULL; i++)
    {
      g_autofree char *store = realpath (store_dirs[i], NULL);

      if (store != NULL && path != NULL && g_str_has_prefix (path, store)
          && path[strlen (store)] == '/')
        return TRUE;
    }
  return FALSE;
}

/* Asked for each folder that the name leads to: it may come to mean the host's. */
static gboolean
may_create_lock_file (int folder_fd, gconstpointer data)
{
  const PvRuntimeName *name = data;

  return !is_same_folder (folder_fd, "/") && !is_same_folder (folder_fd, "/usr")
         && !is_in_store (folder_fd, name->store_dirs);
}

/* That a lock file is there, but cannot be locked, is an error; that there is none and none can be
 * made, or that the filesystem has no locks, is not. */
static gboolean
can_go_without (const PvRuntime *self, const GError *error)
{
  if (g_error_matches (error, PV_ERROR, PV_ERROR_UNSUPPORTED))
    return TRUE;
  return !has_lock_file (self) && !g_error_matches (error, PV_ERROR, PV_ERROR_BUSY)
         && !g_error_matches (error, PV_ERROR, PV_ERROR_CHANGED);
}

/**
 * pv_runtime_acquire:
 * @name: what to look for
 * @wait: (nullable): how long to wait for the lock
 * @ret_lock: (out) (nullable): the lock on its `.ref`; %NULL if there is none and none could be
 *  created, or if the filesystem has no locks
 * @ret_why_not_locked: (out) (nullable): why @ret_lock is %NULL; itself %NULL for the host's `/usr`
 *
 * Finds a runtime and locks it, shared; after that, looks it up again from the name, and starts
 * afresh if the name has come to mean another folder or another lock file.
 *
 * Returns: (transfer full): the runtime, or %NULL with @error set, as pv_runtime_look_up() and
 *  pv_lock_acquire()
 */
PvRuntime *
pv_runtime_acquire (const PvRuntimeName *name, const PvLockWait *wait, PvLock **ret_lock,
                    GError **ret_why_not_locked, GError **error)
{
  const PvLockFolder folder = {
    .open = open_for_lock,
    .may_create = may_create_lock_file,
    .data = name,
  };
  g_autoptr (PvRuntime) runtime = NULL;
  g_autoptr (GError) local_error = NULL;
  int locked_fd;

  *ret_lock = pv_lock_acquire (&folder, LOCK_FILE, PV_LOCK_SHARED, wait, &locked_fd, &local_error);
  if (*ret_lock != NULL)
    return runtime_new (name, locked_fd, error);

  /* There may be no runtime at all, or it has gone meanwhile. */
  runtime = look_up (name, error);
  if (runtime == NULL)
    return NULL;
  if (!can_go_without (runtime, local_error))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return NULL;
    }
  if (runtime->layout != PV_LAYOUT_HOST)
    g_propagate_error (ret_why_not_locked, g_steal_pointer (&local_error));
  return g_steal_pointer (&runtime);
}
