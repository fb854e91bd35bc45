/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that a manifest says, checked before anything is written. */
#include "deploy/mtree.h"

#include "base/error.h"
#include "base/escape.h"

#include <limits.h>
#include <string.h>

/* A runtime's manifest has some megabytes; a small archive can unpack to whatever it likes. */
#define MAX_BYTES (64 * 1024 * 1024)
#define MAX_LINE (64 * 1024)
#define BUFFER_SIZE (64 * 1024)

#define LOCK_FILE ".ref"

/**
 * Reader: of lines.
 * @line: what has been read of the present one
 * @number: of it
 * @found: (element-type PvMtreeEntry): in the order of the manifest
 */
typedef struct
{
  const char *path;
  PvMtreeLines *lines;
  GString *line;
  guint number;
  GPtrArray *found;
} Reader;

static void
free_entry (gpointer data)
{
  pv_mtree_entry_free (data);
}

void
pv_mtree_free (PvMtree *mtree)
{
  if (mtree == NULL)
    return;
  g_clear_pointer (&mtree->by_name, g_hash_table_unref);
  g_clear_pointer (&mtree->entries, g_ptr_array_unref);
  g_clear_pointer (&mtree->folders, g_array_unref);
  pv_mtree_entry_free (mtree->top);
  g_free (mtree->path);
  g_free (mtree);
}

static gboolean
set_line_error (GError **error, const Reader *reader, const char *reason)
{
  return pv_error_set (error, PV_ERROR_INVALID, "Cannot use manifest \"%s\": line %u: %s",
                       reader->path, reader->number, reason);
}

static gboolean
end_line (Reader *reader, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (PvMtreeEntry) entry = NULL;
  GString *line = reader->line;

  reader->number++;
  /* The next one continues it. */
  if (line->len > 0 && line->str[line->len - 1] == '\\')
    {
      g_string_truncate (line, line->len - 1);
      return TRUE;
    }
  if (strlen (line->str) != line->len)
    return set_line_error (error, reader, "a NUL byte");
  if (!pv_mtree_lines_read (reader->lines, line->str, &entry, &local_error))
    return set_line_error (error, reader, local_error->message);
  if (entry != NULL)
    {
      entry->line = reader->number;
      g_ptr_array_add (reader->found, g_steal_pointer (&entry));
    }
  g_string_truncate (line, 0);
  return TRUE;
}

static gboolean
read_some (Reader *reader, const char *text, gsize length, GError **error)
{
  const char *end = text + length;

  while (text < end)
    {
      const char *newline = memchr (text, '\n', (gsize) (end - text));
      const char *stop = newline != NULL ? newline : end;

      g_string_append_len (reader->line, text, stop - text);
      if (reader->line->len > MAX_LINE)
        {
          reader->number++;
          return set_line_error (error, reader, "too long");
        }
      if (newline != NULL && !end_line (reader, error))
        return FALSE;
      text = stop + (newline != NULL);
    }
  return TRUE;
}

static gboolean
read_all (Reader *reader, PvMtreeReadFunc func, gpointer data, GError **error)
{
  g_autofree char *buffer = g_malloc (BUFFER_SIZE);
  gsize total = 0;
  gssize got;

  while ((got = func (data, buffer, BUFFER_SIZE, error)) > 0)
    {
      total += (gsize) got;
      if (total > MAX_BYTES)
        return pv_error_set (error, PV_ERROR_INVALID,
                             "Cannot use manifest \"%s\": more than %d bytes", reader->path,
                             MAX_BYTES);
      if (!read_some (reader, buffer, (gsize) got, error))
        return FALSE;
    }
  if (got < 0 || (reader->line->len > 0 && !end_line (reader, error)))
    return FALSE;
  return reader->line->len == 0
         || set_line_error (error, reader, "the manifest ends in the middle of it");
}

/* Returns: the length of the folder's name */
static gsize
get_folder_length (const char *name)
{
  const char *slash = strrchr (name, '/');

  return slash != NULL ? (gsize) (slash - name) : 0;
}

/* By folder, then by name. */
static gint
compare (gconstpointer a, gconstpointer b)
{
  const char *left = (*(const PvMtreeEntry *const *) a)->name;
  const char *right = (*(const PvMtreeEntry *const *) b)->name;
  gsize left_length = get_folder_length (left), right_length = get_folder_length (right);
  int result = memcmp (left, right, MIN (left_length, right_length));

  if (result != 0)
    return result;
  if (left_length != right_length)
    return left_length < right_length ? -1 : 1;
  return strcmp (left + left_length, right + right_length);
}

static gboolean
add (PvMtree *self, PvMtreeEntry *entry, GError **error)
{
  const PvMtreeEntry *before = g_hash_table_lookup (self->by_name, entry->name);

  if (before != NULL)
    {
      g_autofree char *reason = g_strdup_printf ("line %u has it as well", before->line);

      pv_mtree_set_error (error, self, entry, reason);
      pv_mtree_entry_free (entry);
      return FALSE;
    }
  g_hash_table_insert (self->by_name, entry->name, entry);
  if (entry->name[0] == '\0')
    self->top = entry;
  else
    g_ptr_array_add (self->entries, entry);
  self->n_files += entry->type == PV_MTREE_FILE;
  self->n_bytes += entry->type == PV_MTREE_FILE && entry->size > 0 ? (guint64) entry->size : 0;
  return TRUE;
}

/* A folder that no line names is there because something is in it. */
static gboolean
add_parents (PvMtree *self, const PvMtreeEntry *entry, gsize *n_bytes, GError **error)
{
  for (gsize length = get_folder_length (entry->name); length > 0;)
    {
      g_autofree char *name = g_strndup (entry->name, length);
      const PvMtreeEntry *parent = g_hash_table_lookup (self->by_name, name);

      if (parent != NULL && parent->type != PV_MTREE_FOLDER)
        {
          g_autofree char *escaped = pv_escape_controls (name);
          g_autofree char *reason = g_strdup_printf ("\"%s\" is not a folder", escaped);

          return pv_mtree_set_error (error, self, entry, reason);
        }
      if (parent != NULL)
        return TRUE;
      *n_bytes += length;
      if (*n_bytes > MAX_BYTES)
        return pv_mtree_set_error (error, self, entry, "too many folders that no line names");
      add (self, pv_mtree_entry_new (name, PV_MTREE_FOLDER), NULL);
      length = get_folder_length (name);
    }
  return TRUE;
}

/* The lock file is always the base's own. */
static gboolean
add_lock_file (PvMtree *self, GError **error)
{
  PvMtreeEntry *entry = g_hash_table_lookup (self->by_name, LOCK_FILE);

  if (entry == NULL)
    return add (self, pv_mtree_entry_new (LOCK_FILE, PV_MTREE_FILE), error);
  entry->type = PV_MTREE_FILE;
  return TRUE;
}

static void
add_folder (PvMtree *self, GHashTable *indices, const PvMtreeEntry *entry)
{
  PvMtreeFolder folder = { .entry = entry };

  g_hash_table_insert (indices, entry->name, GUINT_TO_POINTER (self->folders->len));
  g_array_append_val (self->folders, folder);
}

static void
find_folders (PvMtree *self)
{
  g_autoptr (GHashTable) indices = g_hash_table_new (g_str_hash, g_str_equal);

  g_ptr_array_sort (self->entries, compare);
  add_folder (self, indices, self->top);
  for (guint i = 0; i < self->entries->len; i++)
    {
      const PvMtreeEntry *entry = self->entries->pdata[i];
      g_autofree char *name = g_strndup (entry->name, get_folder_length (entry->name));
      guint index = GPOINTER_TO_UINT (g_hash_table_lookup (indices, name));
      PvMtreeFolder *folder = &g_array_index (self->folders, PvMtreeFolder, index);

      if (folder->n++ == 0)
        folder->first = i;
      if (entry->type == PV_MTREE_FOLDER)
        add_folder (self, indices, entry);
    }
}

static gboolean
build (PvMtree *self, GPtrArray *found, GError **error)
{
  gsize n_bytes = 0;
  guint n_named;

  /* Each is taken. */
  g_ptr_array_set_free_func (found, NULL);
  for (guint i = 0; i < found->len; i++)
    {
      if (add (self, found->pdata[i], error))
        continue;
      for (i++; i < found->len; i++)
        pv_mtree_entry_free (found->pdata[i]);
      return FALSE;
    }
  if (!add_lock_file (self, error))
    return FALSE;
  if (self->top == NULL)
    add (self, pv_mtree_entry_new ("", PV_MTREE_FOLDER), error);
  n_named = self->entries->len;
  for (guint i = 0; i < n_named; i++)
    {
      if (!add_parents (self, self->entries->pdata[i], &n_bytes, error))
        return FALSE;
    }
  find_folders (self);
  return TRUE;
}

/**
 * pv_mtree_read:
 * @path: (type filename): the manifest, for messages
 * @func: reads a part of it, unpacked: how many bytes, 0 at the end, or -1
 *
 * Returns: (transfer full): what it says, or %NULL with @error set, which names the line
 */
PvMtree *
pv_mtree_read (const char *path, PvMtreeReadFunc func, gpointer data, GError **error)
{
  g_autoptr (PvMtree) self = g_new0 (PvMtree, 1);
  g_autoptr (PvMtreeLines) lines = pv_mtree_lines_new ();
  g_autoptr (GString) line = g_string_new (NULL);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (free_entry);
  Reader reader = { .path = path, .lines = lines, .line = line, .found = found };

  self->path = g_strdup (path);
  self->entries = g_ptr_array_new_with_free_func (free_entry);
  self->folders = g_array_new (FALSE, FALSE, sizeof (PvMtreeFolder));
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  if (!read_all (&reader, func, data, error))
    return NULL;
  if (found->len == 0)
    {
      pv_error_set (error, PV_ERROR_INVALID, "Cannot use manifest \"%s\": it names no file", path);
      return NULL;
    }
  return build (self, found, error) ? g_steal_pointer (&self) : NULL;
}

/**
 * pv_mtree_get:
 * @name: (type filename): relative to the top
 *
 * Returns: (nullable): what is said of it; borrowed
 */
const PvMtreeEntry *
pv_mtree_get (const PvMtree *mtree, const char *name)
{
  return g_hash_table_lookup (mtree->by_name, name);
}

/**
 * pv_mtree_is_lock_file:
 *
 * Returns: whether it is the runtime's lock file, which is never the manifest's
 */
gboolean
pv_mtree_is_lock_file (const PvMtreeEntry *entry)
{
  return strcmp (entry->name, LOCK_FILE) == 0;
}

/**
 * pv_mtree_set_error:
 * @reason: what is wrong with the entry
 *
 * Returns: %FALSE
 */
gboolean
pv_mtree_set_error (GError **error, const PvMtree *mtree, const PvMtreeEntry *entry,
                    const char *reason)
{
  g_autofree char *name = pv_escape_controls (entry->name);

  if (entry->line == 0)
    return pv_error_set (error, PV_ERROR_INVALID, "Cannot use manifest \"%s\": \"%s\": %s",
                         mtree->path, name, reason);
  return pv_error_set (error, PV_ERROR_INVALID, "Cannot use manifest \"%s\": line %u: \"%s\": %s",
                       mtree->path, entry->line, name, reason);
}
