/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file of a deployed runtime: a link to the source where that is as it shall be, otherwise a
 * copy, since to change the mode or time of a link is to change the source. */
#include "deploy/node.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"
#include "copy/file-data.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/**
 * Source: where the contents of a file are.
 * @folder: borrowed, or the same as @opened
 */
typedef struct
{
  int folder;
  int opened;
  const char *name;
  struct stat st;
} Source;

static const char *
get_base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash != NULL ? slash + 1 : path;
}

static gboolean
fail (GError **error, const PvNodes *nodes, const PvMtreeEntry *entry, const char *what,
      int saved_errno)
{
  g_autofree char *reason = g_strdup_printf ("%s: %s", what, g_strerror (saved_errno));

  return pv_mtree_set_error (error, nodes->mtree, entry, reason);
}

/* Whoever may not read it, may not link it either. */
static gboolean
fail_to_find (GError **error, const PvNodes *nodes, const PvMtreeEntry *entry, int saved_errno)
{
  g_autofree char *files = pv_fd_get_path (nodes->files_fd);
  g_autofree char *reason = NULL;

  if (saved_errno == ELOOP || saved_errno == ENOTDIR)
    reason = g_strdup_printf ("the way to it in \"%s\" leads through a link or a file", files);
  else if (saved_errno == ENOENT)
    reason = g_strdup_printf ("it is missing in \"%s\"", files);
  else
    reason = g_strdup_printf ("cannot look at it in \"%s\": %s", files, g_strerror (saved_errno));
  pv_mtree_set_error (error, nodes->mtree, entry, reason);
  return pv_error_hint (error, "whoever installed the runtime should check its files, or install "
                               "them anew");
}

/* Returns: FALSE with errno set */
static gboolean
find_contents (const PvNodes *nodes, const PvNodeFolders *folders, const PvMtreeEntry *entry,
               Source *source)
{
  const char *path = entry->contents != NULL ? entry->contents : entry->name;

  source->name = get_base_name (path);
  source->folder = folders->source;
  if (entry->contents != NULL)
    {
      g_autofree char *folder = g_path_get_dirname (path);

      source->opened =
          pv_openat2 (nodes->files_fd, folder, O_PATH | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);
      source->folder = source->opened;
    }
  else if (source->folder < 0)
    {
      errno = folders->source_errno;
    }
  return source->folder >= 0
         && fstatat (source->folder, source->name, &source->st, AT_SYMLINK_NOFOLLOW) == 0;
}

static gboolean
check_contents (const PvNodes *nodes, const PvMtreeEntry *entry, const struct stat *st,
                GError **error)
{
  g_autofree char *reason = NULL;

  if (!S_ISREG (st->st_mode))
    reason = g_strdup ("it is not a file where it should be copied from");
  else if (entry->size >= 0 && entry->size != st->st_size)
    reason = g_strdup_printf ("it has %" G_GINT64_FORMAT " bytes, not %" G_GINT64_FORMAT,
                              (gint64) st->st_size, entry->size);
  if (reason == NULL)
    return TRUE;
  pv_mtree_set_error (error, nodes->mtree, entry, reason);
  return pv_error_hint (error, "whoever installed the runtime should check its files, or install "
                               "them anew");
}

/* Of whatever mode there is, only who can read it all, and whether it is a program, counts. */
static mode_t
get_mode (const PvMtreeEntry *entry, const struct stat *st)
{
  mode_t mode = st->st_mode;

  if (entry->no_change)
    return mode & 0777;
  if (entry->mode >= 0)
    mode = (mode_t) entry->mode;
  return mode & 0111 ? 0755 : 0644;
}

static struct timespec
get_mtime (const PvMtreeEntry *entry, const struct stat *st)
{
  return entry->has_mtime && !entry->no_change ? entry->mtime : st->st_mtim;
}

static gboolean
is_as_wanted (const PvMtreeEntry *entry, const struct stat *st)
{
  struct timespec mtime = get_mtime (entry, st);

  return (st->st_mode & 07777) == get_mode (entry, st) && mtime.tv_sec == st->st_mtim.tv_sec
         && mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* See linkat(2); EPERM is also what protected_hardlinks makes it say, see proc(5). */
static gboolean
cannot_link (int saved_errno)
{
  return saved_errno == EXDEV || saved_errno == EPERM || saved_errno == EMLINK
         || saved_errno == EOPNOTSUPP || saved_errno == ENOSYS;
}

/* Returns: FALSE with errno set */
static gboolean
copy_data (PvNodes *nodes, int source_fd, const struct stat *st, int dest_fd)
{
  if (!g_atomic_int_get (&nodes->cannot_clone))
    {
      if (pv_file_data_clone (source_fd, dest_fd))
        return TRUE;
      g_atomic_int_set (&nodes->cannot_clone, 1);
    }
  return pv_file_data_copy (source_fd, st, dest_fd, &nodes->method);
}

static gboolean
finish (int fd, mode_t mode, const struct timespec *mtime)
{
  const struct timespec times[] = { *mtime, *mtime };

  return fchmod (fd, mode) == 0 && futimens (fd, times) == 0;
}

static gboolean
make_copy (PvNodes *nodes, const Source *source, const PvNodeFolders *folders,
           const PvMtreeEntry *entry, GError **error)
{
  const struct timespec mtime = get_mtime (entry, &source->st);
  pv_autofd from = openat (source->folder, source->name,
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  pv_autofd to = -1;

  if (from < 0)
    return fail_to_find (error, nodes, entry, errno);
  to = openat (folders->dest, get_base_name (entry->name),
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (to < 0)
    return fail (error, nodes, entry, "cannot create it", errno);
  if (!copy_data (nodes, from, &source->st, to)
      || !finish (to, get_mode (entry, &source->st), &mtime))
    return fail (error, nodes, entry, "cannot copy it", errno);
  g_atomic_int_inc (&nodes->n_copied);
  return TRUE;
}

static gboolean
make_file (PvNodes *nodes, const PvNodeFolders *folders, const PvMtreeEntry *entry, Source *source,
           GError **error)
{
  if (!find_contents (nodes, folders, entry, source))
    return (errno == ENOENT && entry->optional) || fail_to_find (error, nodes, entry, errno);
  if (!check_contents (nodes, entry, &source->st, error))
    return FALSE;
  if (!is_as_wanted (entry, &source->st))
    return make_copy (nodes, source, folders, entry, error);

  if (linkat (source->folder, source->name, folders->dest, get_base_name (entry->name), 0) == 0)
    {
      g_atomic_int_inc (&nodes->n_linked);
      return TRUE;
    }
  if (!cannot_link (errno))
    return fail (error, nodes, entry, "cannot link it", errno);
  g_atomic_int_compare_and_exchange (&nodes->link_errno, 0, errno);
  return make_copy (nodes, source, folders, entry, error);
}

/* Nothing is gained by a link, and a lock file must not have any. */
static gboolean
make_empty (const PvNodes *nodes, const PvNodeFolders *folders, const PvMtreeEntry *entry,
            GError **error)
{
  const struct stat none = { .st_mode = 0644, .st_mtim = { .tv_nsec = UTIME_NOW } };
  const struct timespec mtime = get_mtime (entry, &none);
  pv_autofd fd = openat (folders->dest, get_base_name (entry->name),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  return (fd >= 0 && finish (fd, get_mode (entry, &none), &mtime))
         || fail (error, nodes, entry, "cannot create it", errno);
}

static gboolean
make_link (const PvNodes *nodes, const PvNodeFolders *folders, const PvMtreeEntry *entry,
           GError **error)
{
  const struct timespec times[] = { entry->mtime, entry->mtime };
  const char *name = get_base_name (entry->name);

  return (symlinkat (entry->target, folders->dest, name) == 0
          && (!entry->has_mtime || entry->no_change
              || utimensat (folders->dest, name, times, AT_SYMLINK_NOFOLLOW) == 0))
         || fail (error, nodes, entry, "cannot create it", errno);
}

/**
 * pv_nodes_make:
 * @folders: where it is
 * @entry: what it shall be; not a folder
 *
 * Files get the mode 0644 or 0755, whatever else a manifest says; neither owner nor extended
 * attributes are copied.  An optional file that is missing is left out.
 *
 * Returns: %FALSE with @error set, which names manifest and entry
 */
gboolean
pv_nodes_make (PvNodes *nodes, const PvNodeFolders *folders, const PvMtreeEntry *entry,
               GError **error)
{
  Source source = { .folder = -1, .opened = -1 };
  gboolean made;

  if (entry->type == PV_MTREE_LINK)
    return make_link (nodes, folders, entry, error);
  if (entry->size == 0)
    return make_empty (nodes, folders, entry, error);
  made = make_file (nodes, folders, entry, &source, error);
  pv_fd_clear (&source.opened);
  return made;
}
