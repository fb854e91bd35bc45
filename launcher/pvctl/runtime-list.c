/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/log.h"
#include "runtime/store.h"
#include "tasks.h"
#include "usage.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static gboolean opt_json;
static char **opt_stores;

static const GOptionEntry options[] = {
  { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print a JSON array instead of a table", NULL },
  { "store", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_stores,
    "Look only into DIR; may be repeated [default: all stores]", "DIR" },
  { NULL },
};

static const PvctlUsage usage = {
  .name = "pvctl runtime list",
  .summary = "Lists every version of every runtime; the current one of each comes first.",
  .options = options,
};

static json_t *
string_or_null (const char *text)
{
  return text != NULL ? json_string (text) : json_null ();
}

static gboolean
print_json (const GPtrArray *entries)
{
  json_t *array = json_array ();
  gboolean ok;

  for (guint i = 0; i < entries->len; i++)
    {
      const PvStoreEntry *entry = entries->pdata[i];
      const PvMetadata *metadata = entry->metadata;
      json_t *object = json_object ();

      json_object_set_new (object, "name", json_string (metadata->name));
      json_object_set_new (object, "display_name", string_or_null (metadata->display_name));
      json_object_set_new (object, "version", string_or_null (metadata->version));
      json_object_set_new (object, "current", json_boolean (entry->current));
      json_object_set_new (object, "layout", json_string (pv_layout_to_string (metadata->layout)));
      json_object_set_new (object, "suite", string_or_null (metadata->suite));
      json_object_set_new (object, "architecture", string_or_null (metadata->architecture));
      json_object_set_new (object, "source", string_or_null (metadata->source));
      json_object_set_new (object, "created", string_or_null (metadata->created));
      json_object_set_new (object, "path", string_or_null (entry->path));
      json_object_set_new (object, "problem", string_or_null (entry->problem));
      json_array_append_new (array, object);
    }
  ok = json_dumpf (array, stdout, JSON_INDENT (2)) == 0 && putchar ('\n') != EOF;
  json_decref (array);
  return ok;
}

static gboolean
print_table (const GPtrArray *entries)
{
  int name_width = (int) sizeof "NAME" - 1;
  int version_width = (int) sizeof "VERSION" - 1;
  gboolean ok = TRUE;

  for (guint i = 0; i < entries->len; i++)
    {
      const PvMetadata *metadata = ((const PvStoreEntry *) entries->pdata[i])->metadata;

      name_width = MAX (name_width, (int) g_utf8_strlen (metadata->name, -1));
      if (metadata->version != NULL)
        version_width = MAX (version_width, (int) g_utf8_strlen (metadata->version, -1));
    }

  if (entries->len > 0)
    ok = printf ("%-*s  %-*s  LAYOUT  PATH\n", name_width, "NAME", version_width, "VERSION") >= 0;
  for (guint i = 0; ok && i < entries->len; i++)
    {
      const PvStoreEntry *entry = entries->pdata[i];
      const char *version = entry->metadata->version;

      ok = printf ("%-*s  %-*s  %-6s  %s\n", name_width, entry->metadata->name, version_width,
                   version != NULL ? version : "-", pv_layout_to_string (entry->metadata->layout),
                   entry->path) >= 0;
    }
  return ok;
}

int
pvctl_runtime_list (int argc, char **argv)
{
  g_auto (GStrv) environment = g_get_environ ();
  g_auto (GStrv) dirs = NULL;
  g_autoptr (GPtrArray) entries = NULL;
  g_autoptr (GError) error = NULL;
  gboolean ok;
  int status = pvctl_usage_parse (&usage, &argc, &argv);

  if (status != PVCTL_GO_ON)
    return status;

  dirs = opt_stores != NULL ? g_steal_pointer (&opt_stores) : pv_store_get_dirs (environment);
  entries = pv_store_list ((const char *const *) dirs, &error);
  if (entries == NULL)
    return pvctl_usage_report (error);

  for (guint i = 0; i < entries->len; i++)
    {
      const PvStoreEntry *entry = entries->pdata[i];

      if (entry->problem != NULL)
        pv_warning ("Cannot use runtime \"%s\": %s", entry->path, entry->problem);
    }
  ok = opt_json ? print_json (entries) : print_table (entries);
  if (ok && fflush (stdout) == 0)
    return EXIT_SUCCESS;
  pv_error_set (&error, PV_ERROR_FAILED, "Cannot write to standard output");
  return pvctl_usage_report (error);
}
