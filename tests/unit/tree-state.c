/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that can be seen of a tree but for inode numbers, link counts, ctime and atime. */
#include "tree-state.h"

#include "base/dir.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/**
 * State:
 * @first: (element-type filename filename): device and inode, and the first path of a file with
 *  several names
 */
typedef struct
{
  GString *text;
  GHashTable *first;
} State;

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
add_xattrs (State *self, int dir_fd, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d/%s", dir_fd, name);
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  char keys[4096], value[8192];
  ssize_t length = llistxattr (path, keys, sizeof keys);

  for (char *key = keys; key < keys + length; key += strlen (key) + 1)
    g_ptr_array_add (sorted, key);
  g_ptr_array_sort (sorted, compare_keys);
  for (guint i = 0; i < sorted->len; i++)
    {
      g_autofree char *digest = NULL;

      length = lgetxattr (path, sorted->pdata[i], value, sizeof value);
      g_assert_cmpint (length, >=, 0);
      digest = g_compute_checksum_for_data (G_CHECKSUM_MD5, (guchar *) value, (gsize) length);
      g_string_append_printf (self->text, " %s=%s", (char *) sorted->pdata[i], digest);
    }
}

static void
add_content (State *self, int dir_fd, const char *name)
{
  pv_autofd fd = openat (dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guchar buffer[65536];
  ssize_t got;

  g_assert_cmpint (fd, >=, 0);
  while ((got = read (fd, buffer, sizeof buffer)) > 0)
    g_checksum_update (sum, buffer, got);
  g_assert_cmpint (got, ==, 0);
  g_string_append_printf (self->text, " sha256 %s", g_checksum_get_string (sum));
}

static void
add_names (State *self, const struct stat *st, const char *path)
{
  g_autofree char *key = g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                                          (guint64) st->st_dev, (guint64) st->st_ino);
  const char *first = g_hash_table_lookup (self->first, key);

  if (first != NULL)
    g_string_append_printf (self->text, " same as %s", first);
  else
    g_hash_table_insert (self->first, g_steal_pointer (&key), g_strdup (path));
}

static void
add (State *self, int dir_fd, const char *name, const char *path)
{
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;
  pv_autofd fd = -1;
  struct stat st;

  g_assert_cmpint (fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
  g_string_append_printf (self->text, "%s: %06o %u:%u %" G_GINT64_FORMAT ".%09ld", path, st.st_mode,
                          st.st_uid, st.st_gid, (gint64) st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  if (!S_ISDIR (st.st_mode))
    add_names (self, &st, path);
  if (S_ISREG (st.st_mode))
    {
      g_string_append_printf (self->text, " size %" G_GINT64_FORMAT, (gint64) st.st_size);
      add_content (self, dir_fd, name);
    }
  else if (S_ISLNK (st.st_mode))
    {
      g_autofree char *target = pv_dir_read_link (dir_fd, name);

      g_string_append_printf (self->text, " -> %s", target);
    }
  else if (S_ISCHR (st.st_mode))
    {
      g_string_append_printf (self->text, " device %x", (guint) st.st_rdev);
    }
  add_xattrs (self, dir_fd, name);
  g_string_append_c (self->text, '\n');
  if (!S_ISDIR (st.st_mode))
    return;

  fd = openat (dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  entries = pv_dir_list (fd, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = entries->pdata[i];
      g_autofree char *below = g_strdup_printf ("%s/%s", path, entry->name);

      add (self, fd, entry->name, below);
    }
}

/**
 * pv_tree_state:
 * @dir_fd: an open folder
 * @name: (type filename): in it
 *
 * Returns: (transfer full): a line for each file and folder: type, mode, owner, time, content or
 *  target, extended attributes, and which are names of the same file
 */
char *
pv_tree_state (int dir_fd, const char *name)
{
  State self = {
    .text = g_string_new (""),
    .first = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free),
  };

  add (&self, dir_fd, name, ".");
  g_hash_table_unref (self.first);
  return g_string_free (self.text, FALSE);
}

/**
 * pv_tree_assert_same:
 *
 * Two states are equal; if not, it fails with the first line that is different.
 */
void
pv_tree_assert_same (const char *expected, const char *actual)
{
  g_auto (GStrv) a = g_strsplit (expected, "\n", -1);
  g_auto (GStrv) b = g_strsplit (actual, "\n", -1);

  for (gsize i = 0; a[i] != NULL || b[i] != NULL; i++)
    {
      g_assert_cmpstr (a[i], ==, b[i]);
    }
}
