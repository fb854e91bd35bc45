/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A launch that runs from a copy has those removed that others have left, beside its own program. */
#include "clean-beside.h"

#include "base/fd.h"
#include "base/log.h"
#include "copy/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that is about to be removed by its own launcher is unlocked for a moment. */
#define MIN_AGE_S 60

/* One that has no lock file yet is being made. */
static gboolean
is_left (int parent_fd, const char *name)
{
  g_autofree char *path = g_build_filename (name, "usr", PV_COPY_LOCK, NULL);
  pv_autofd fd = openat (parent_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  struct stat st;

  return fd >= 0 && fstat (fd, &st) == 0
         && st.st_mtime < g_get_real_time () / G_USEC_PER_SEC - MIN_AGE_S
         && fcntl (fd, F_OFD_GETLK, &whole_file) == 0 && whole_file.l_type == F_UNLCK;
}

static gboolean
has_left (int parent_fd, const char *own)
{
  pv_autofd fd = openat (parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir (fd);
  const struct dirent *item;
  gboolean found = FALSE;

  if (dir == NULL)
    return FALSE;
  pv_fd_steal (&fd);
  while (!found && (item = readdir (dir)) != NULL)
    {
      if (g_str_has_prefix (item->d_name, PV_COPY_PREFIX) && strcmp (item->d_name, own) != 0)
        found = is_left (parent_fd, item->d_name);
    }
  closedir (dir);
  return found;
}

/* Beside this program. */
static char *
find_pvctl (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = self != NULL ? g_path_get_dirname (self) : NULL;
  g_autofree char *path = folder != NULL ? g_build_filename (folder, "pvctl", NULL) : NULL;
  struct stat st;

  if (path == NULL || stat (path, &st) < 0 || !S_ISREG (st.st_mode))
    return NULL;
  return g_steal_pointer (&path);
}

/* In a session of its own, with nothing of the program's. */
static pid_t
start (const char *pvctl, const char *parent, char **environment)
{
  g_autofree char *option = g_strconcat ("--parent=", parent, NULL);
  char *argv[] = { (char *) "pvctl", (char *) "gc", option, NULL };
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  pid_t pid = 0;

  sigemptyset (&none);
  posix_spawn_file_actions_init (&actions);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    posix_spawn_file_actions_addopen (&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setsigmask (&attributes, &none);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  if (posix_spawn (&pid, pvctl, &actions, &attributes, argv, environment) != 0)
    pid = 0;
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  return pid;
}

/**
 * pv_clean_beside:
 * @copy: what the program runs from
 * @environment: (array zero-terminated=1): of the caller
 *
 * What is in the trash is somebody's who deletes it, or waits for somebody who leaves a copy.
 *
 * Returns: the pid of a process that cleans up, for which nobody need wait, or 0
 */
pid_t
pv_clean_beside (const PvCopy *copy, char **environment)
{
  g_autofree char *name = g_path_get_basename (copy->path);
  g_autofree char *parent = g_path_get_dirname (copy->path);
  g_autofree char *pvctl = NULL;

  if (!has_left (copy->parent_fd, name))
    return 0;
  pvctl = find_pvctl ();
  pv_debug ("Cleaning up beside \"%s\"", copy->path);
  return pvctl != NULL ? start (pvctl, parent, environment) : 0;
}
