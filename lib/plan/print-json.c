/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --dry-run=json: stable, snake_case, described in pv-launch(1). */
#include "plan/print.h"

#include <jansson.h>
#include <string.h>

/* JSON is UTF-8: what is not, is shown with replacement characters. */
static json_t *
string (const char *value)
{
  g_autofree char *valid = NULL;

  if (value == NULL)
    return json_null ();
  valid = g_utf8_make_valid (value, -1);
  return json_string (valid);
}

static json_t *
runtime_to_json (const PvRuntime *runtime)
{
  json_t *object = json_object ();

  json_object_set_new (object, "name", string (runtime->name));
  json_object_set_new (object, "path", string (runtime->path));
  json_object_set_new (object, "layout", string (pv_layout_to_string (runtime->layout)));
  return object;
}

static json_t *
options_to_json (const GPtrArray *options)
{
  json_t *array = json_array ();

  for (guint i = 0; i < options->len; i++)
    {
      const PvPlanOption *option = g_ptr_array_index (options, i);
      json_t *object = json_object ();

      json_object_set_new (object, "name", string (option->name));
      json_object_set_new (object, "value", string (option->value));
      json_object_set_new (object, "source", string (option->source));
      json_array_append_new (array, object);
    }
  return array;
}

static json_t *
mounts_to_json (const GPtrArray *mounts)
{
  json_t *array = json_array ();

  for (guint i = 0; i < mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (mounts, i);
      json_t *object = json_object ();

      json_object_set_new (object, "kind", string (pv_mount_kind_to_option (mount->kind)));
      json_object_set_new (object, "dest", string (mount->dest));
      json_object_set_new (object, "source", string (mount->source));
      json_object_set_new (object, "is_mount", json_boolean (pv_mount_is_real (mount)));
      json_object_set_new (object, "reason", string (mount->reason));
      json_array_append_new (array, object);
    }
  return array;
}

static json_t *
edits_to_json (const GPtrArray *edits)
{
  json_t *array = json_array ();

  for (guint i = 0; i < edits->len; i++)
    {
      const PvEnvironmentEdit *edit = g_ptr_array_index (edits, i);
      json_t *object = json_object ();

      json_object_set_new (object, "name", string (edit->name));
      json_object_set_new (object, "value", string (edit->value));
      json_object_set_new (object, "reason", string (edit->reason));
      json_array_append_new (array, object);
    }
  return array;
}

static json_t *
strings_to_json (char **strings)
{
  json_t *array = json_array ();

  for (gsize i = 0; strings[i] != NULL; i++)
    json_array_append_new (array, string (strings[i]));
  return array;
}

/**
 * pv_plan_to_json:
 *
 * Returns: (transfer full): the plan as one JSON object and a newline
 */
char *
pv_plan_to_json (const PvPlanReport *report)
{
  const PvPlan *plan = report->plan;
  json_t *root = json_object ();
  g_autofree char *text = NULL;
  char *dumped;

  json_object_set_new (root, "runtime", runtime_to_json (report->runtime));
  json_object_set_new (root, "options", options_to_json (report->options));
  json_object_set_new (root, "mount_count", json_integer (pv_plan_count_mounts (plan)));
  json_object_set_new (root, "mounts", mounts_to_json (plan->mounts));
  json_object_set_new (root, "share_pid", json_boolean (plan->share_pid));
  json_object_set_new (root, "share_net", json_boolean (plan->share_net));
  json_object_set_new (root, "environment", edits_to_json (plan->edits));
  json_object_set_new (root, "cwd", string (plan->cwd));
  json_object_set_new (root, "program", strings_to_json (report->program));

  dumped = json_dumps (root, JSON_INDENT (2));
  json_decref (root);
  text = g_strconcat (dumped, "\n", NULL);
  free (dumped);
  return g_steal_pointer (&text);
}
