/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds which lock.  The owner of an OFD lock is no process, and /proc/locks says -1; but an
 * open file description shows its locks in the /proc/PID/fdinfo of whoever has it. */
#include "lock/holders.h"

#include "base/fd.h"
#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The lines about locks are among the first. */
#define MAX_FDINFO 4096

struct _PvHolders
{
  GHashTable *pids; /* (element-type utf8 GArray): device and inode, to pid_t */
};

static char *
make_key (dev_t device, ino_t inode)
{
  return g_strdup_printf ("%u:%u:%llu", major (device), minor (device), (unsigned long long) inode);
}

static void
free_array (gpointer array)
{
  g_array_free (array, TRUE);
}

PvHolders *
pv_holders_new (void)
{
  PvHolders *self = g_new0 (PvHolders, 1);

  self->pids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_array);
  return self;
}

void
pv_holders_free (PvHolders *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->pids);
  g_free (self);
}

static void
add_line (PvHolders *self, pid_t pid, const char *line)
{
  unsigned int device_major, device_minor;
  unsigned long long inode;
  char kind[16];
  g_autofree char *key = NULL;
  GArray *pids;

  if (sscanf (line, "lock: %*u: %15s %*s %*s %*d %x:%x:%llu", kind, &device_major, &device_minor,
              &inode)
          != 4
      || (strcmp (kind, "OFDLCK") != 0 && strcmp (kind, "POSIX") != 0))
    return;
  key = make_key (makedev (device_major, device_minor), (ino_t) inode);
  pids = g_hash_table_lookup (self->pids, key);
  if (pids == NULL)
    {
      pids = g_array_new (FALSE, FALSE, sizeof (pid_t));
      g_hash_table_insert (self->pids, g_steal_pointer (&key), pids);
    }
  if (pids->len == 0 || g_array_index (pids, pid_t, pids->len - 1) != pid)
    g_array_append_val (pids, pid);
}

/**
 * pv_holders_add:
 * @text: what is in `/proc/PID/fdinfo/N`
 */
void
pv_holders_add (PvHolders *self, pid_t pid, const char *text)
{
  for (const char *line = text; line != NULL; line = strchr (line, '\n'))
    {
      line += *line == '\n';
      if (g_str_has_prefix (line, "lock:"))
        add_line (self, pid, line);
    }
}

static void
read_process (PvHolders *self, pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fdinfo", pid);
  DIR *dir = opendir (path);
  const struct dirent *item;
  char text[MAX_FDINFO];

  if (dir == NULL)
    return;
  while ((item = readdir (dir)) != NULL)
    {
      pv_autofd fd = openat (dirfd (dir), item->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
      ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY (read (fd, text, sizeof text - 1));

      if (length <= 0)
        continue;
      text[length] = '\0';
      pv_holders_add (self, pid, text);
    }
  closedir (dir);
}

/**
 * pv_holders_read:
 *
 * Returns: (transfer full): the holders of all locks, as far as this process may know
 */
PvHolders *
pv_holders_read (void)
{
  PvHolders *self = pv_holders_new ();
  g_autoptr (GArray) pids = pv_process_list ();

  for (guint i = 0; i < pids->len; i++)
    read_process (self, g_array_index (pids, pid_t, i));
  return self;
}

/**
 * pv_holders_get:
 * @device: of the filesystem, as `/proc/self/mountinfo` has it: `st_dev` is another one on btrfs
 * @inode: of the lock file
 *
 * Returns: (nullable) (element-type pid_t): who has a lock on it; borrowed
 */
const GArray *
pv_holders_get (const PvHolders *self, dev_t device, ino_t inode)
{
  g_autofree char *key = make_key (device, inode);

  return g_hash_table_lookup (self->pids, key);
}
