/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/metadata.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define METADATA_LIMIT (1024 * 1024) /* bytes */


/* One row per text in the file: where it lives in the struct, and whether it must be there. */
static const struct
{
  const char *key;
  gsize offset;
  gboolean required;
} fields[] = {
  { "name", G_STRUCT_OFFSET (PvMetadata, name), TRUE },
  { "display_name", G_STRUCT_OFFSET (PvMetadata, display_name), FALSE },
  { "version", G_STRUCT_OFFSET (PvMetadata, version), TRUE },
  { "suite", G_STRUCT_OFFSET (PvMetadata, suite), FALSE },
  { "architecture", G_STRUCT_OFFSET (PvMetadata, architecture), FALSE },
  { "source", G_STRUCT_OFFSET (PvMetadata, source), FALSE },
  { "created", G_STRUCT_OFFSET (PvMetadata, created), FALSE },
};

static char **
get_field (const PvMetadata *metadata, gsize i)
{
  return (char **) G_STRUCT_MEMBER_P (metadata, fields[i].offset);
}

void
pv_metadata_free (PvMetadata *metadata)
{
  if (metadata == NULL)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    g_free (*get_field (metadata, i));
  g_free (metadata);
}

PvMetadata *
pv_metadata_copy (const PvMetadata *metadata)
{
  PvMetadata *copy = g_new0 (PvMetadata, 1);

  copy->layout = metadata->layout;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    *get_field (copy, i) = g_strdup (*get_field (metadata, i));
  return copy;
}

static gboolean
fill (PvMetadata *metadata, json_t *object, const char *path, GError **error)
{
  const char *layout = json_string_value (json_object_get (object, "layout"));

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      json_t *value = json_object_get (object, fields[i].key);

      if (json_is_string (value))
        *get_field (metadata, i) = g_strdup (json_string_value (value));
      else if (fields[i].required || (value != NULL && !json_is_null (value)))
        return pv_error_set (error, PV_ERROR_INVALID,
                             "Cannot use \"%s\": key \"%s\" must be a string", path,
                             fields[i].key);
    }

  if (layout == NULL || !pv_layout_from_string (layout, &metadata->layout))
    return pv_error_set (error, PV_ERROR_INVALID,
                         "Cannot use \"%s\": key \"layout\" must be \"usr\" or \"root\"", path);
  return TRUE;
}

/**
 * pv_metadata_parse:
 * @text: JSON
 * @length: in bytes
 * @path: for messages
 *
 * Keys that are not known are ignored, so that a later version may add some.
 *
 * Returns: (transfer full): what it says, or %NULL with @error set
 */
PvMetadata *
pv_metadata_parse (const char *text, gsize length, const char *path, GError **error)
{
  g_autoptr (PvMetadata) metadata = g_new0 (PvMetadata, 1);
  json_error_t where;
  json_t *object = json_loadb (text, length, JSON_REJECT_DUPLICATES, &where);
  gboolean ok;

  if (!json_is_object (object))
    {
      if (object == NULL)
        pv_error_set (error, PV_ERROR_INVALID, "Cannot read \"%s\": line %d: %s", path, where.line,
                      where.text);
      else
        pv_error_set (error, PV_ERROR_INVALID, "Cannot use \"%s\": it is no JSON object", path);
      json_decref (object);
      return NULL;
    }

  ok = fill (metadata, object, path, error);
  json_decref (object);
  return ok ? g_steal_pointer (&metadata) : NULL;
}

/**
 * pv_metadata_load_at:
 * @version_fd: the folder of one version
 *
 * Returns: (transfer full): what its `runtime.json` says, or %NULL with @error set:
 *  %PV_ERROR_NOT_FOUND if there is none, %PV_ERROR_INVALID if it is not what it must be
 */
PvMetadata *
pv_metadata_load_at (int version_fd, GError **error)
{
  pv_autofd fd = openat (version_fd, PV_METADATA_FILE,
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  gsize length = 0;

  if (fd < 0)
    {
      int saved_errno = errno;
      g_autofree char *folder = pv_fd_get_path (version_fd);

      pv_error_set_errno (error, saved_errno, "Cannot open \"%s/" PV_METADATA_FILE "\"", folder);
      return NULL;
    }
  path = pv_fd_get_path (fd);
  text = pv_fd_read_all (fd, METADATA_LIMIT, &length, error);
  if (text == NULL)
    return NULL;
  return pv_metadata_parse (text, length, path, error);
}

/**
 * pv_metadata_to_json:
 *
 * Returns: (transfer full): an object with a key per line and a newline at its end
 */
char *
pv_metadata_to_json (const PvMetadata *metadata)
{
  json_t *object = json_object ();
  char *text = NULL;
  char *result = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      const char *value = *get_field (metadata, i);

      if (value != NULL)
        json_object_set_new (object, fields[i].key, json_string (value));
    }
  json_object_set_new (object, "layout", json_string (pv_layout_to_string (metadata->layout)));

  text = json_dumps (object, JSON_INDENT (2));
  result = g_strconcat (text, "\n", NULL);
  free (text);
  json_decref (object);
  return result;
}
