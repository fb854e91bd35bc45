/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A copy can be in use though nobody holds its lock: the supervisors were killed, and what the
 * program has left has no fd of the lock file.  It has the copy's `.ref`, or the copy, mounted.
 *
 * Only texts of /proc are read: to look at the mounts themselves could hang for ever (FUSE). */
#include "copy/mounted.h"

#include "base/process.h"
#include "copy/disk.h"

#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More tell a person nothing. */
#define MAX_PIDS 8

/* Somebody who starts processes without end does not keep us for ever. */
#define MAX_ROUNDS 8

struct _PvMounted
{
  GHashTable *pids; /* (element-type filename GArray): see make_key(), to pid_t */
  guint n_unreadable;
};

static char *
make_key (dev_t device, const char *path, gsize length)
{
  return g_strdup_printf ("%u:%u:%.*s", major (device), minor (device), (int) length, path);
}

static void
free_array (gpointer array)
{
  g_array_free (array, TRUE);
}

PvMounted *
pv_mounted_new (void)
{
  PvMounted *self = g_new0 (PvMounted, 1);

  self->pids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_array);
  return self;
}

void
pv_mounted_free (PvMounted *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->pids);
  g_free (self);
}

/* @key: (transfer full) */
static void
add_key (PvMounted *self, pid_t pid, char *key)
{
  GArray *pids = g_hash_table_lookup (self->pids, key);

  if (pids == NULL)
    {
      pids = g_array_new (FALSE, FALSE, sizeof pid);
      g_hash_table_insert (self->pids, key, pids);
    }
  else
    {
      g_free (key);
    }
  if (pids->len < MAX_PIDS && (pids->len == 0 || g_array_index (pids, pid_t, pids->len - 1) != pid))
    g_array_append_val (pids, pid);
}

/* Of /a/tmp-1/usr/.ref, that is /a/tmp-1. */
static void
add_path (PvMounted *self, pid_t pid, dev_t device, const char *path)
{
  for (const char *slash = path; slash != NULL; slash = strchr (slash + 1, '/'))
    {
      const char *name = slash + 1;
      gsize length = strcspn (name, "/");

      if (!g_str_has_prefix (name, PV_COPY_PREFIX) && !g_str_has_prefix (name, PV_COPY_TRASH))
        continue;
      add_key (self, pid, make_key (device, path, (gsize) (name - path) + length));
      /* For who does not know the rest of its own path. */
      if (device != 0)
        add_key (self, pid, make_key (0, name, length));
    }
}

/**
 * pv_mounted_add:
 * @own: whether it is this process's, whose mount points are in the way of deleting, too
 * @mountinfo: what is in `/proc/PID/mountinfo`
 */
void
pv_mounted_add (PvMounted *self, pid_t pid, gboolean own, const char *mountinfo)
{
  for (const char *text = mountinfo; text != NULL;)
    {
      g_auto (PvMountLine) line = { 0 };

      if (pv_mount_line_parse (text, &line))
        {
          add_path (self, pid, line.device, line.root);
          if (own)
            add_path (self, pid, 0, line.point);
        }
      text = strchr (text, '\n');
      text += text != NULL;
    }
}

/* Returns: %FALSE with @error set, of the domain %G_FILE_ERROR */
static gboolean
read_file (PvMounted *self, pid_t pid, const char *path, GError **error)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, error))
    return FALSE;
  pv_mounted_add (self, pid, pid == getpid (), text);
  return TRUE;
}

static void
read_threads (PvMounted *self, pid_t pid)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, "mountinfo", NULL);

      if (read_file (self, pid, path, NULL))
        return;
    }
}

static void
read_process (PvMounted *self, pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/mountinfo", pid);
  g_autoptr (GError) local_error = NULL;

  if (read_file (self, pid, path, &local_error))
    return;
  if (g_error_matches (local_error, G_FILE_ERROR, G_FILE_ERROR_ACCES)
      || g_error_matches (local_error, G_FILE_ERROR, G_FILE_ERROR_PERM))
    self->n_unreadable++;
  /* The first thread has ended; others may go on. */
  else if (g_error_matches (local_error, G_FILE_ERROR, G_FILE_ERROR_INVAL))
    read_threads (self, pid);
}

/**
 * pv_mounted_read:
 *
 * Whoever has a copy mounted can have children while this reads, and end before it is read itself.
 * So it reads again what has come, until nothing has.
 *
 * Returns: (transfer full): what all processes have mounted, as far as this one may know
 */
PvMounted *
pv_mounted_read (void)
{
  PvMounted *self = pv_mounted_new ();
  g_autoptr (GHashTable) done = g_hash_table_new (NULL, NULL);
  gboolean is_new = TRUE;

  for (int i = 0; is_new && i < MAX_ROUNDS; i++)
    {
      g_autoptr (GArray) pids = pv_process_list ();

      is_new = FALSE;
      for (guint j = 0; j < pids->len; j++)
        {
          pid_t pid = g_array_index (pids, pid_t, j);

          if (!g_hash_table_add (done, GINT_TO_POINTER (pid)))
            continue;
          is_new = TRUE;
          read_process (self, pid);
        }
    }
  return self;
}

/**
 * pv_mounted_get:
 * @place: of a copy
 *
 * Returns: (nullable) (element-type pid_t): processes that have it mounted, or something in it, or
 *  this one if something is mounted on it; borrowed
 */
const GArray *
pv_mounted_get (const PvMounted *self, const PvPlace *place)
{
  const char *slash = strrchr (place->path, '/');
  const char *name = slash != NULL ? slash + 1 : place->path;
  g_autofree char *by_point = make_key (0, place->path, strlen (place->path));
  g_autofree char *by_root = place->root != NULL
                                 ? make_key (place->device, place->root, strlen (place->root))
                                 : make_key (0, name, strlen (name));
  const GArray *pids = g_hash_table_lookup (self->pids, by_root);

  return pids != NULL ? pids : g_hash_table_lookup (self->pids, by_point);
}

/**
 * pv_mounted_count_unreadable:
 *
 * Returns: how many processes did not let this one know
 */
guint
pv_mounted_count_unreadable (const PvMounted *self)
{
  return self->n_unreadable;
}
