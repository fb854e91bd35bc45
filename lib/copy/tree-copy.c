/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread walks through the folders and makes them; what else is in each is copied by several,
 * one for each folder, since the kernel lets only one at a time change a folder. */
#include "copy/tree-copy.h"

#include "base/log.h"
#include "copy/attributes.h"
#include "copy/file-copy.h"
#include "copy/file-error.h"
#include "copy/folder.h"
#include "copy/workers.h"

#include <errno.h>

/* More would only wait for the filesystem, and each has files open. */
#define MAX_THREADS 4

/**
 * Copy: what the threads share.
 * @failed: used atomically: nothing more needs to be done
 * @mutex: guards @error, the first that was met
 */
typedef struct
{
  PvFileCopy files;
  PvWorkers *workers;
  gint failed;
  GMutex mutex;
  GError *error;
} Copy;

/**
 * Job: the files of one folder.
 * @folder, @fds: owned
 * @finish: nothing more will be made in it
 */
typedef struct
{
  PvFolder *folder;
  PvFolderFds *fds;
  gboolean finish;
} Job;

/* Takes @error. */
static void
fail (Copy *self, GError *error)
{
  g_mutex_lock (&self->mutex);
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
  g_mutex_unlock (&self->mutex);
  g_atomic_int_set (&self->failed, 1);
}

static gboolean
copy_files (Copy *self, const Job *job, GError **error)
{
  const GArray *names = job->folder->names->others;

  for (guint i = 0; i < names->len; i++)
    {
      const PvName *name = &g_array_index (names, PvName, i);

      if (g_atomic_int_get (&self->failed))
        return TRUE;
      if (!pv_file_copy (&self->files, job->folder, job->fds, name, error))
        return FALSE;
    }
  return !job->finish
         || pv_attributes_copy (job->fds->source, &job->folder->st, job->fds->dest, error);
}

static void
do_job (gpointer data, gpointer user_data)
{
  Copy *self = user_data;
  Job *job = data;
  GError *error = NULL;

  if (!copy_files (self, job, &error))
    fail (self, error);
  pv_folder_unref (job->folder);
  pv_folder_fds_unref (job->fds);
  g_free (job);
}

static gboolean
is_leaf (const PvFolder *folder)
{
  return folder->names->folders->len == 0;
}

/* Whether the copy's owner can still go through the folder when it has its mode. */
static gboolean
can_finish_early (const PvFolder *folder)
{
  return is_leaf (folder) || (folder->st.st_mode & 0500) == 0500;
}

/* The folders in it are made first: its time may be set as soon as its files are there. */
static gboolean
begin (Copy *self, PvFolder *folder, PvFolderFds *fds, GError **error)
{
  Job *job;

  if (!pv_folder_make_folders (folder, fds, error))
    return FALSE;
  job = g_new0 (Job, 1);
  job->folder = pv_folder_ref (folder);
  job->fds = pv_folder_fds_ref (fds);
  job->finish = can_finish_early (folder);
  pv_workers_push (self->workers, job);
  return TRUE;
}

/* A folder that is there, but with nothing in it. */
static gboolean
leave_empty (Copy *self, const PvFolder *folder, const PvFolderFds *fds, const char *name,
             int saved_errno, GError **error)
{
  if (saved_errno == EXDEV)
    {
      pv_debug ("Something is mounted on \"%s\", which is left out", name);
      return TRUE;
    }
  if (pv_unreadable_add (self->files.unreadable, saved_errno, folder, fds, name))
    return pv_unreadable_set_attributes (fds, name, error);
  return pv_file_error_set (error, saved_errno, "open folder", fds->source, name);
}

/* Goes into the next folder of @folder, and stays there if that has folders itself. */
static gboolean
enter (Copy *self, PvFolder **folder, PvFolderFds **fds, GError **error)
{
  const GArray *folders = (*folder)->names->folders;
  const char *name = g_array_index (folders, PvName, (*folder)->next++).name;
  g_autoptr (PvFolderFds) child_fds = NULL;
  g_autoptr (PvFolder) child = NULL;
  int saved_errno;

  if (!pv_folder_open_child (*fds, name, &saved_errno, &child_fds, error))
    return FALSE;
  if (child_fds == NULL)
    return leave_empty (self, *folder, *fds, name, saved_errno, error);
  child = pv_folder_new_child (*folder, name, child_fds, error);
  if (child == NULL || !begin (self, child, child_fds, error))
    return FALSE;
  if (!is_leaf (child))
    {
      PvFolder *parent = *folder;

      *folder = g_steal_pointer (&child);
      pv_folder_unref (parent);
      pv_folder_fds_unref (*fds);
      *fds = g_steal_pointer (&child_fds);
    }
  return TRUE;
}

/* Goes back; *@folder is set to %NULL after the topmost one. */
static gboolean
leave (Copy *self, PvFolder **folder, PvFolderFds **fds, GError **error)
{
  g_autoptr (PvFolder) left = g_steal_pointer (folder);
  g_autoptr (PvFolderFds) left_fds = g_steal_pointer (fds);

  if (left->parent != NULL)
    {
      *fds = pv_folder_open_parent (left_fds, left->parent, error);
      if (*fds == NULL)
        return FALSE;
      *folder = pv_folder_ref (left->parent);
    }
  if (can_finish_early (left))
    return TRUE;
  pv_workers_wait (self->workers);
  return pv_attributes_copy (left_fds->source, &left->st, left_fds->dest, error);
}

static gboolean
walk (Copy *self, PvFolderFds *top_fds, const char *const *excluded, GError **error)
{
  g_autoptr (PvFolderFds) fds = pv_folder_fds_ref (top_fds);
  g_autoptr (PvFolder) folder = pv_folder_new_top (fds, excluded, error);

  if (folder == NULL || !begin (self, folder, fds, error))
    return FALSE;
  while (folder != NULL && !g_atomic_int_get (&self->failed))
    {
      gboolean done = folder->next == folder->names->folders->len;

      if (!(done ? leave : enter) (self, &folder, &fds, error))
        return FALSE;
    }
  return TRUE;
}

/**
 * pv_tree_copy:
 * @source_fd: a folder; `O_PATH` will do
 * @dest_fd: a folder of the caller's own in which there are at most folders
 * @kind: how files are copied
 * @excluded: (nullable) (array zero-terminated=1): paths relative to @source_fd that are left out,
 *  with all below them
 * @unreadable: (nullable) (inout): gets what is not copied because somebody else forbids to read it;
 *  %NULL: then that is an error
 *
 * Copies what is in a folder, and the folder's own attributes: the types of all files, modes, times
 * of modification, extended attributes and, as root, owners; names of one file stay names of one
 * file, and holes stay holes.  As an ordinary user one owns the copy, and setuid and setgid of
 * files are lost where that is not so for the source.  What is mounted inside is not copied; a
 * device is left out where only root could make it.  A file of somebody else that can neither be read
 * nor linked is left out, such a folder is empty, and has its mode and times alone.
 *
 * The source is not changed, but for %PV_TREE_COPY_HARDLINK, which changes link counts, and
 * with them ctime; who may, leaves no access times behind.  Somebody else who changes it meanwhile
 * can make the copy fail or be incomplete, but cannot make it lead out of the source.
 *
 * Returns: %FALSE with @error set, and @dest_fd partly filled: %PV_ERROR_UNSUPPORTED if another
 *  @kind may work: clones that the filesystem does not have, links to another filesystem or to what
 *  belongs to somebody else (linkat(2), ioctl_ficlone(2)); %PV_ERROR_CHANGED or
 *  %PV_ERROR_NOT_FOUND if the source was changed meanwhile
 */
gboolean
pv_tree_copy (int source_fd, int dest_fd, PvTreeCopyKind kind, const char *const *excluded,
              PvUnreadable *unreadable, GError **error)
{
  g_autoptr (PvFolderFds) fds = pv_folder_open_top (source_fd, dest_fd, error);
  g_autoptr (PvHardLinks) links = NULL;
  Copy self = { .files = { .kind = kind, .unreadable = unreadable } };
  GError *local_error = NULL;

  if (fds == NULL)
    return FALSE;
  links = pv_hard_links_new (fds->dest);
  self.files.links = links;
  g_mutex_init (&self.mutex);
  self.workers = pv_workers_new (MIN (g_get_num_processors (), MAX_THREADS), do_job, &self);
  if (!walk (&self, fds, excluded, &local_error))
    fail (&self, local_error);
  pv_workers_free (self.workers);
  g_mutex_clear (&self.mutex);
  if (self.error == NULL)
    return TRUE;
  g_propagate_error (error, self.error);
  return FALSE;
}
