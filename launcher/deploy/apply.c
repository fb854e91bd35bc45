/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes what a manifest describes.  First all folders: until the last is there, nothing else is, and
 * no path can lead through a link.  Then what is in each, by several threads, one for each folder. */
#include "deploy/apply.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"
#include "copy/workers.h"
#include "deploy/node.h"
#include "deploy/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* More would only wait for the filesystem. */
#define MAX_THREADS 4

typedef struct
{
  const PvMtree *mtree;
  int usr_fd;
  PvNodes nodes;
  PvTally tally;
} Apply;

static const char *
or_top (const char *name)
{
  return name[0] != '\0' ? name : ".";
}

static gboolean
fail (GError **error, const PvMtree *mtree, const PvMtreeEntry *entry, const char *what)
{
  g_autofree char *reason = g_strdup_printf ("%s: %s", what, g_strerror (errno));

  return pv_mtree_set_error (error, mtree, entry, reason);
}

static gboolean
make_folders (Apply *self, GError **error)
{
  for (guint i = 1; i < self->mtree->folders->len && pv_tally_goes_on (&self->tally); i++)
    {
      const PvMtreeEntry *entry = g_array_index (self->mtree->folders, PvMtreeFolder, i).entry;

      if (mkdirat (self->usr_fd, entry->name, 0755) < 0)
        return fail (error, self->mtree, entry, "cannot create it");
    }
  return TRUE;
}

static gboolean
fill (Apply *self, const PvMtreeFolder *folder, GError **error)
{
  const char *name = or_top (folder->entry->name);
  pv_autofd source =
      pv_openat2 (self->nodes.files_fd, name, O_PATH | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);
  int source_errno = errno;
  pv_autofd dest = pv_openat2 (self->usr_fd, name, O_PATH | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);
  const PvNodeFolders folders = { .source = source, .source_errno = source_errno, .dest = dest };

  if (dest < 0)
    return fail (error, self->mtree, folder->entry, "cannot open it");
  for (guint i = folder->first; i < folder->first + folder->n; i++)
    {
      const PvMtreeEntry *entry = self->mtree->entries->pdata[i];

      if (!pv_tally_goes_on (&self->tally))
        return TRUE;
      if (entry->type == PV_MTREE_FOLDER || pv_mtree_is_lock_file (entry))
        continue;
      if (!pv_nodes_make (&self->nodes, &folders, entry, error))
        return FALSE;
      if (entry->type == PV_MTREE_FILE)
        pv_tally_add (&self->tally, 1, (guint64) MAX (entry->size, 0));
    }
  return TRUE;
}

static void
do_job (gpointer job, gpointer data)
{
  Apply *self = data;
  GError *error = NULL;

  if (!fill (self, job, &error))
    pv_tally_fail (&self->tally, error);
}

static gboolean
has_files (const Apply *self, const PvMtreeFolder *folder)
{
  for (guint i = folder->first; i < folder->first + folder->n; i++)
    {
      if (((const PvMtreeEntry *) self->mtree->entries->pdata[i])->type != PV_MTREE_FOLDER)
        return TRUE;
    }
  return FALSE;
}

static void
fill_all (Apply *self)
{
  PvWorkers *workers = pv_workers_new (MIN (g_get_num_processors (), MAX_THREADS), do_job, self);

  for (guint i = 0; i < self->mtree->folders->len && pv_tally_goes_on (&self->tally); i++)
    {
      PvMtreeFolder *folder = &g_array_index (self->mtree->folders, PvMtreeFolder, i);

      if (has_files (self, folder))
        pv_workers_push (workers, folder);
    }
  pv_workers_free (workers);
}

/* When nothing more is made in them. */
static gboolean
finish_folders (const Apply *self, GError **error)
{
  for (guint i = 0; i < self->mtree->folders->len; i++)
    {
      const PvMtreeEntry *entry = g_array_index (self->mtree->folders, PvMtreeFolder, i).entry;
      const struct timespec times[] = { entry->mtime, entry->mtime };
      pv_autofd fd = -1;

      if (!entry->has_mtime || entry->no_change)
        continue;
      fd = pv_openat2 (self->usr_fd, or_top (entry->name), O_RDONLY | O_DIRECTORY, 0,
                       PV_RESOLVE_NO_LINKS);
      if (fd < 0 || futimens (fd, times) < 0)
        return fail (error, self->mtree, entry, "cannot set its time");
    }
  return TRUE;
}

/**
 * pv_apply:
 * @files_fd: where the contents of the files are; is not changed, but for link counts and, with
 *  them, ctime
 * @usr_fd: a folder of the caller's own, with nothing but a lock file in it
 * @progress: (nullable): is told how far it is
 * @stop: (nullable): used atomically: other than 0 when somebody wants it to end
 * @ret_applied: (out): what was made
 *
 * Returns: %FALSE with @error set, which names manifest and entry, and @usr_fd partly filled
 */
gboolean
pv_apply (const PvMtree *mtree, int files_fd, int usr_fd, PvProgress *progress, const gint *stop,
          PvApplied *ret_applied, GError **error)
{
  Apply self = {
    .mtree = mtree,
    .usr_fd = usr_fd,
    .nodes = { .mtree = mtree, .files_fd = files_fd },
  };
  GError *local_error = NULL;

  pv_tally_init (&self.tally, progress, stop);
  if (!make_folders (&self, &local_error))
    pv_tally_fail (&self.tally, local_error);
  fill_all (&self);
  ret_applied->n_linked = (guint) self.nodes.n_linked;
  ret_applied->n_copied = (guint) self.nodes.n_copied;
  ret_applied->link_errno = self.nodes.link_errno;
  return pv_tally_finish (&self.tally, error) && finish_folders (&self, error);
}

/**
 * pv_apply_is_needed:
 * @files_fd: a runtime's folder
 *
 * What is shipped with a manifest may lack links and whatever is empty.  If it has the first of
 * them, it lacks none.
 *
 * Returns: whether @files_fd cannot be used as it is
 */
gboolean
pv_apply_is_needed (const PvMtree *mtree, int files_fd)
{
  for (guint i = 0; i < mtree->entries->len; i++)
    {
      const PvMtreeEntry *entry = mtree->entries->pdata[i];
      pv_autofd fd = -1;

      if (pv_mtree_is_lock_file (entry) || entry->optional
          || (entry->type != PV_MTREE_LINK && entry->size != 0 && entry->contents == NULL))
        continue;
      fd = pv_openat2 (files_fd, entry->name, O_PATH | O_NOFOLLOW, 0, PV_RESOLVE_BENEATH);
      return fd < 0;
    }
  return FALSE;
}
