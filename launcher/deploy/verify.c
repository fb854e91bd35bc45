/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares a deployed runtime with its manifest: one job for each folder, on all processors. */
#include "deploy/verify.h"

#include "base/dir.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/openat2.h"
#include "copy/workers.h"
#include "deploy/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (128 * 1024)

/**
 * Verify: what the threads share.
 * @mutex: guards what follows
 * @n_wrong: how many files are not what they should be
 * @first: (nullable): the name of the first of them, in the order of names
 * @reason: what is wrong with it
 */
typedef struct
{
  const PvMtree *mtree;
  int usr_fd;
  PvTally tally;
  GMutex mutex;
  guint n_wrong;
  char *first;
  char *reason;
} Verify;

/* Takes @reason. */
static void
note (Verify *self, const char *name, char *reason)
{
  g_mutex_lock (&self->mutex);
  self->n_wrong++;
  if (self->first == NULL || strcmp (name, self->first) < 0)
    {
      g_free (self->first);
      g_free (self->reason);
      self->first = g_strdup (name);
      self->reason = reason;
      reason = NULL;
    }
  g_mutex_unlock (&self->mutex);
  g_free (reason);
}

/* Returns: (transfer full) (nullable): %NULL with errno set, or if somebody wants it to end */
static char *
hash (Verify *self, int fd)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guchar *buffer = g_malloc (BUFFER_SIZE);
  ssize_t got;

  while ((got = TEMP_FAILURE_RETRY (read (fd, buffer, BUFFER_SIZE))) > 0)
    {
      g_checksum_update (sum, buffer, got);
      pv_tally_add (&self->tally, 0, (guint64) got);
      errno = EINTR;
      if (!pv_tally_goes_on (&self->tally))
        return NULL;
    }
  return got < 0 ? NULL : g_strdup (g_checksum_get_string (sum));
}

/* Returns: (transfer full) (nullable): what is wrong */
static char *
check_contents (Verify *self, int folder_fd, const char *name, const PvMtreeEntry *entry)
{
  pv_autofd fd = -1;
  g_autofree char *digest = NULL;

  if (entry->sha256 == NULL)
    return NULL;
  fd = openat (folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  digest = fd < 0 ? NULL : hash (self, fd);
  if (digest == NULL)
    return g_strdup_printf ("it cannot be read: %s", g_strerror (errno));
  return strcmp (digest, entry->sha256) == 0
             ? NULL
             : g_strdup_printf ("its contents have the digest %s, not %s", digest, entry->sha256);
}

static char *
check_file (Verify *self, int folder_fd, const char *name, const PvMtreeEntry *entry,
            const struct stat *st)
{
  gboolean program = (st->st_mode & 0111) != 0;

  if (!S_ISREG (st->st_mode))
    return g_strdup ("it is not a file");
  if (entry->size >= 0 && st->st_size != entry->size)
    return g_strdup_printf ("it has %" G_GINT64_FORMAT " bytes, not %" G_GINT64_FORMAT,
                            (gint64) st->st_size, entry->size);
  if (entry->mode >= 0 && !entry->no_change && program != ((entry->mode & 0111) != 0))
    return g_strdup (program ? "it is executable" : "it is not executable");
  return check_contents (self, folder_fd, name, entry);
}

static char *
check_link (int folder_fd, const char *name, const PvMtreeEntry *entry, const struct stat *st)
{
  g_autofree char *target = S_ISLNK (st->st_mode) ? pv_dir_read_link (folder_fd, name) : NULL;

  if (target == NULL)
    return g_strdup ("it is not a link");
  return strcmp (target, entry->target) == 0
             ? NULL
             : g_strdup_printf ("it leads to \"%s\", not to \"%s\"", target, entry->target);
}

static void
check_entry (Verify *self, int folder_fd, const PvMtreeEntry *entry)
{
  const char *slash = strrchr (entry->name, '/');
  const char *name = slash != NULL ? slash + 1 : entry->name;
  char *reason = NULL;
  struct stat st;

  if (fstatat (folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    {
      if (errno != ENOENT || !entry->optional)
        reason = errno == ENOENT ? g_strdup ("it is missing") : g_strdup (g_strerror (errno));
    }
  else if (entry->type == PV_MTREE_FOLDER)
    reason = S_ISDIR (st.st_mode) ? NULL : g_strdup ("it is not a folder");
  else if (entry->type == PV_MTREE_LINK)
    reason = check_link (folder_fd, name, entry, &st);
  else
    reason = check_file (self, folder_fd, name, entry, &st);

  if (reason != NULL)
    note (self, entry->name, reason);
  if (entry->type == PV_MTREE_FILE)
    pv_tally_add (&self->tally, 1, 0);
}

static gboolean
is_ignored (const PvMtree *mtree, const PvMtreeEntry *folder)
{
  g_autofree char *name = g_strdup (folder->name);

  for (;;)
    {
      const PvMtreeEntry *entry = pv_mtree_get (mtree, name);
      char *slash = strrchr (name, '/');

      if (entry != NULL && entry->ignore)
        return TRUE;
      if (name[0] == '\0')
        return FALSE;
      *(slash != NULL ? slash : name) = '\0';
    }
}

static gboolean
check_unexpected (Verify *self, int folder_fd, const PvMtreeEntry *folder, GError **error)
{
  g_autoptr (GPtrArray) found = NULL;

  if (is_ignored (self->mtree, folder))
    return TRUE;
  found = pv_dir_list (folder_fd, error);
  for (guint i = 0; found != NULL && i < found->len; i++)
    {
      const PvEntry *item = found->pdata[i];
      g_autofree char *name = folder->name[0] == '\0'
                                  ? g_strdup (item->name)
                                  : g_strconcat (folder->name, "/", item->name, NULL);

      if (pv_mtree_get (self->mtree, name) == NULL)
        note (self, name, g_strdup ("nothing of that name should be there"));
    }
  return found != NULL;
}

static gboolean
check_folder (Verify *self, const PvMtreeFolder *folder, GError **error)
{
  const char *name = folder->entry->name[0] != '\0' ? folder->entry->name : ".";
  pv_autofd fd = pv_openat2 (self->usr_fd, name, O_RDONLY | O_DIRECTORY, 0, PV_RESOLVE_NO_LINKS);

  if (fd < 0)
    {
      /* That it is missing has been said with the folder in which it is. */
      if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        note (self, folder->entry->name, g_strdup (g_strerror (errno)));
      return TRUE;
    }
  for (guint i = folder->first; i < folder->first + folder->n; i++)
    {
      const PvMtreeEntry *entry = self->mtree->entries->pdata[i];

      if (!pv_tally_goes_on (&self->tally))
        return TRUE;
      if (!pv_mtree_is_lock_file (entry))
        check_entry (self, fd, entry);
    }
  return check_unexpected (self, fd, folder->entry, error);
}

static void
do_job (gpointer job, gpointer data)
{
  Verify *self = data;
  GError *error = NULL;

  if (!check_folder (self, job, &error))
    pv_tally_fail (&self->tally, error);
}

static gboolean
conclude (const Verify *self, const char *path, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *reason = NULL;

  if (self->n_wrong == 0)
    return TRUE;
  name = pv_escape_controls (self->first);
  reason = pv_escape_controls (self->reason);
  return pv_error_set (error, PV_ERROR_INVALID,
                       "Cannot use \"%s\": it is not what the manifest \"%s\" says: \"%s\": %s "
                       "(wrong in all: %u)",
                       path, self->mtree->path, name, reason, self->n_wrong);
}

/**
 * pv_verify:
 * @usr_fd: what was deployed
 * @path: (type filename): of it, for messages
 * @progress: (nullable): is told how far it is
 * @stop: (nullable): used atomically: other than 0 when somebody wants it to end
 *
 * Compares existence, type, size, digest, the target of links, and whether files are executable;
 * what is there and in no line is wrong as well.
 *
 * Returns: %FALSE with @error set, which names the first that is wrong, and how many are
 */
gboolean
pv_verify (const PvMtree *mtree, int usr_fd, const char *path, PvProgress *progress,
           const gint *stop, GError **error)
{
  Verify self = { .mtree = mtree, .usr_fd = usr_fd };
  PvWorkers *workers;
  gboolean done;

  pv_tally_init (&self.tally, progress, stop);
  g_mutex_init (&self.mutex);
  workers = pv_workers_new (g_get_num_processors (), do_job, &self);
  for (guint i = 0; i < mtree->folders->len && pv_tally_goes_on (&self.tally); i++)
    pv_workers_push (workers, &g_array_index (mtree->folders, PvMtreeFolder, i));
  pv_workers_free (workers);
  g_mutex_clear (&self.mutex);
  done = pv_tally_finish (&self.tally, error) && conclude (&self, path, error);
  g_free (self.first);
  g_free (self.reason);
  return done;
}
