/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line of mtree(5), in the form that has the whole path in every line.  libarchive's reader of
 * this format knows neither `contents` nor `optional` nor lines' numbers, so it only unpacks. */
#include "deploy/mtree-line.h"

#include "base/error.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_DIGITS 64

/* What says something of one keyword. */
typedef gboolean (*SetFunc) (PvMtreeEntry *entry, const char *value, GError **error);

typedef struct
{
  const char *name;
  gboolean has_value;
  SetFunc set;
} Keyword;

PvMtreeEntry *
pv_mtree_entry_new (const char *name, PvMtreeType type)
{
  PvMtreeEntry *entry = g_new0 (PvMtreeEntry, 1);

  entry->name = g_strdup (name);
  entry->type = type;
  entry->size = -1;
  entry->mode = -1;
  return entry;
}

static PvMtreeEntry *
entry_copy (const PvMtreeEntry *entry)
{
  PvMtreeEntry *copy = g_memdup2 (entry, sizeof *entry);

  copy->name = g_strdup (entry->name);
  copy->target = g_strdup (entry->target);
  copy->contents = g_strdup (entry->contents);
  copy->sha256 = g_strdup (entry->sha256);
  return copy;
}

void
pv_mtree_entry_free (PvMtreeEntry *entry)
{
  if (entry == NULL)
    return;
  g_free (entry->name);
  g_free (entry->target);
  g_free (entry->contents);
  g_free (entry->sha256);
  g_free (entry);
}

PvMtreeLines *
pv_mtree_lines_new (void)
{
  PvMtreeLines *lines = g_new0 (PvMtreeLines, 1);

  lines->defaults = pv_mtree_entry_new (NULL, PV_MTREE_UNKNOWN);
  return lines;
}

void
pv_mtree_lines_free (PvMtreeLines *lines)
{
  if (lines == NULL)
    return;
  pv_mtree_entry_free (lines->defaults);
  g_free (lines);
}

static gboolean
set_invalid (GError **error, const char *what, const char *text)
{
  g_autofree char *escaped = g_strescape (text, "\"");

  return pv_error_set (error, PV_ERROR_INVALID, "%s \"%.200s\"", what, escaped);
}

static gboolean
is_octal (char c)
{
  return c >= '0' && c <= '7';
}

/* As vis(3) writes with VIS_CSTYLE and VIS_OCTAL.  Returns: (transfer full) (nullable) */
static char *
unescape (const char *text, GError **error)
{
  static const char letters[] = "abfnrstv\\#";
  static const char meant[] = "\a\b\f\n\r \t\v\\#";
  g_autoptr (GString) out = g_string_sized_new (strlen (text));
  const char *found;

  for (const char *c = text; *c != '\0'; c++)
    {
      if (*c != '\\')
        {
          g_string_append_c (out, *c);
          continue;
        }
      c++;
      if (c[0] >= '0' && c[0] <= '3' && is_octal (c[1]) && is_octal (c[2])
          && (c[0] != '0' || c[1] != '0' || c[2] != '0'))
        {
          g_string_append_c (out, (char) ((c[0] - '0') * 64 + (c[1] - '0') * 8 + (c[2] - '0')));
          c += 2;
        }
      else if (*c != '\0' && (found = strchr (letters, *c)) != NULL)
        {
          g_string_append_c (out, meant[found - letters]);
        }
      else
        {
          set_invalid (error, "invalid escape in", text);
          return NULL;
        }
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* Returns: (transfer full) (nullable): the path without what means nothing in it */
static char *
normalize (const char *text, GError **error)
{
  g_autofree char *path = unescape (text, error);
  g_auto (GStrv) parts = NULL;
  g_autoptr (GString) out = g_string_new (NULL);

  if (path == NULL)
    return NULL;
  if (path[0] == '/')
    {
      set_invalid (error, "absolute path", text);
      return NULL;
    }
  parts = g_strsplit (path, "/", -1);
  for (char **part = parts; *part != NULL; part++)
    {
      if ((*part)[0] == '\0' || strcmp (*part, ".") == 0)
        continue;
      if (strcmp (*part, "..") == 0)
        {
          set_invalid (error, "\"..\" in path", text);
          return NULL;
        }
      g_string_append_printf (out, "%s%s", out->len > 0 ? "/" : "", *part);
    }
  if (out->len >= PATH_MAX)
    {
      set_invalid (error, "too long a path", text);
      return NULL;
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* Of the forms of mtree(5), only the one in which a line does not depend on those before. */
static char *
read_name (const char *text, GError **error)
{
  if (strcmp (text, ".") != 0 && strchr (text, '/') == NULL)
    {
      set_invalid (error, "a path that does not begin with \"./\":", text);
      return NULL;
    }
  return normalize (text, error);
}

static gboolean
set_type (PvMtreeEntry *entry, const char *value, GError **error)
{
  if (strcmp (value, "file") == 0)
    entry->type = PV_MTREE_FILE;
  else if (strcmp (value, "dir") == 0)
    entry->type = PV_MTREE_FOLDER;
  else if (strcmp (value, "link") == 0)
    entry->type = PV_MTREE_LINK;
  else
    return set_invalid (error, "a runtime has no files of type", value);
  return TRUE;
}

static gboolean
read_number (const char *value, guint base, guint64 max, guint64 *ret_number, GError **error)
{
  return g_ascii_string_to_unsigned (value, base, 0, max, ret_number, NULL)
         || set_invalid (error, "invalid number", value);
}

static gboolean
set_size (PvMtreeEntry *entry, const char *value, GError **error)
{
  guint64 number;

  if (!read_number (value, 10, G_MAXINT64, &number, error))
    return FALSE;
  entry->size = (gint64) number;
  return TRUE;
}

static gboolean
set_mode (PvMtreeEntry *entry, const char *value, GError **error)
{
  guint64 number;

  if (!read_number (value, 8, 07777, &number, error))
    return FALSE;
  entry->mode = (int) number;
  return TRUE;
}

/* Seconds, a point, and nanoseconds: no fraction, although nine digits look the same. */
static gboolean
set_time (PvMtreeEntry *entry, const char *value, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (value, ".", 2);
  gboolean negative = parts[0] != NULL && parts[0][0] == '-';
  guint64 seconds, nanoseconds = 0;

  if (parts[0] == NULL
      || !read_number (parts[0] + negative, 10, G_MAXINT32 * G_GUINT64_CONSTANT (1000), &seconds,
                       error)
      || (parts[1] != NULL && !read_number (parts[1], 10, 999999999, &nanoseconds, error)))
    return FALSE;
  entry->has_mtime = TRUE;
  entry->mtime.tv_sec = negative ? -(time_t) seconds : (time_t) seconds;
  entry->mtime.tv_nsec = (long) nanoseconds;
  return TRUE;
}

static gboolean
set_target (PvMtreeEntry *entry, const char *value, GError **error)
{
  g_free (entry->target);
  entry->target = unescape (value, error);
  if (entry->target == NULL)
    return FALSE;
  return (entry->target[0] != '\0' && strlen (entry->target) < PATH_MAX)
         || set_invalid (error, "no link can lead to", value);
}

static gboolean
set_contents (PvMtreeEntry *entry, const char *value, GError **error)
{
  g_free (entry->contents);
  entry->contents = normalize (value, error);
  return entry->contents != NULL;
}

static gboolean
set_sha256 (PvMtreeEntry *entry, const char *value, GError **error)
{
  if (strlen (value) != SHA256_DIGITS || strspn (value, "0123456789abcdefABCDEF") != SHA256_DIGITS)
    return set_invalid (error, "invalid digest", value);
  g_free (entry->sha256);
  entry->sha256 = g_ascii_strdown (value, -1);
  return TRUE;
}

static gboolean
set_optional (PvMtreeEntry *entry, const char *value, GError **error)
{
  entry->optional = TRUE;
  return TRUE;
}

static gboolean
set_ignore (PvMtreeEntry *entry, const char *value, GError **error)
{
  entry->ignore = TRUE;
  return TRUE;
}

static gboolean
set_no_change (PvMtreeEntry *entry, const char *value, GError **error)
{
  entry->no_change = TRUE;
  return TRUE;
}

static const Keyword keywords[] = {
  { "contents", TRUE, set_contents },   { "content", TRUE, set_contents },
  { "ignore", FALSE, set_ignore },      { "link", TRUE, set_target },
  { "mode", TRUE, set_mode },           { "nochange", FALSE, set_no_change },
  { "optional", FALSE, set_optional },  { "sha256", TRUE, set_sha256 },
  { "sha256digest", TRUE, set_sha256 }, { "size", TRUE, set_size },
  { "time", TRUE, set_time },           { "type", TRUE, set_type },
};

static const Keyword *
find_keyword (const char *word)
{
  gsize length = strcspn (word, "=");

  for (gsize i = 0; i < G_N_ELEMENTS (keywords); i++)
    {
      if (strlen (keywords[i].name) == length && strncmp (keywords[i].name, word, length) == 0)
        return &keywords[i];
    }
  return NULL;
}

/* Those that are not known, such as owners and other digests, say nothing that counts here. */
static gboolean
read_keywords (PvMtreeEntry *entry, char **words, GError **error)
{
  for (; *words != NULL; words++)
    {
      const Keyword *keyword = find_keyword (*words);
      const char *value = strchr (*words, '=');

      if (keyword == NULL)
        continue;
      if (keyword->has_value != (value != NULL))
        return set_invalid (error, value == NULL ? "no value in" : "a value in", *words);
      if (!keyword->set (entry, value != NULL ? value + 1 : NULL, error))
        return FALSE;
    }
  return TRUE;
}

static void
unset (PvMtreeLines *lines, char **words)
{
  PvMtreeEntry *defaults = lines->defaults;

  for (; *words != NULL; words++)
    {
      gboolean all = strcmp (*words, "all") == 0;

      if (all || strcmp (*words, "type") == 0)
        defaults->type = PV_MTREE_UNKNOWN;
      if (all || strcmp (*words, "size") == 0)
        defaults->size = -1;
      if (all || strcmp (*words, "mode") == 0)
        defaults->mode = -1;
      if (all || strcmp (*words, "time") == 0)
        defaults->has_mtime = FALSE;
      if (all || strcmp (*words, "optional") == 0)
        defaults->optional = FALSE;
      if (all || strcmp (*words, "nochange") == 0)
        defaults->no_change = FALSE;
      if (all || strcmp (*words, "ignore") == 0)
        defaults->ignore = FALSE;
    }
}

static char **
split (const char *text)
{
  g_auto (GStrv) words = g_strsplit_set (text, " \t\r", -1);
  GPtrArray *kept = g_ptr_array_new ();

  for (char **word = words; *word != NULL; word++)
    {
      if ((*word)[0] != '\0')
        g_ptr_array_add (kept, g_strdup (*word));
    }
  g_ptr_array_add (kept, NULL);
  return (char **) g_ptr_array_free (kept, FALSE);
}

static gboolean
check (const PvMtreeEntry *entry, GError **error)
{
  if (entry->type == PV_MTREE_UNKNOWN)
    return pv_error_set (error, PV_ERROR_INVALID, "it has no type");
  if (entry->type == PV_MTREE_LINK && entry->target == NULL)
    return pv_error_set (error, PV_ERROR_INVALID, "it is a link that leads nowhere");
  if (entry->contents != NULL && entry->contents[0] == '\0')
    return pv_error_set (error, PV_ERROR_INVALID, "its contents are those of a folder");
  return entry->name[0] != '\0' || entry->type == PV_MTREE_FOLDER
         || pv_error_set (error, PV_ERROR_INVALID, "the top is not a folder");
}

/**
 * pv_mtree_lines_read:
 * @text: a line, without its end
 * @ret_entry: (out) (nullable) (transfer full): what it says; %NULL: nothing of any file
 *
 * Returns: %FALSE with @error set to why it is invalid; the caller names the line
 */
gboolean
pv_mtree_lines_read (PvMtreeLines *lines, const char *text, PvMtreeEntry **ret_entry,
                     GError **error)
{
  g_auto (GStrv) words = split (text);
  g_autoptr (PvMtreeEntry) entry = NULL;

  *ret_entry = NULL;
  if (words[0] == NULL || words[0][0] == '#')
    return TRUE;
  if (strcmp (words[0], "/set") == 0)
    return read_keywords (lines->defaults, words + 1, error);
  if (strcmp (words[0], "/unset") == 0)
    {
      unset (lines, words + 1);
      return TRUE;
    }

  entry = entry_copy (lines->defaults);
  entry->name = read_name (words[0], error);
  if (entry->name == NULL || !read_keywords (entry, words + 1, error) || !check (entry, error))
    return FALSE;
  *ret_entry = g_steal_pointer (&entry);
  return TRUE;
}
