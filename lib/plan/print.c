/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --dry-run=text */
#include "plan/print.h"

#include "base/escape.h"

#include <string.h>

static void
add_heading (GString *text, const char *heading)
{
  g_string_append_printf (text, "%s%s\n", text->len > 0 ? "\n" : "", heading);
}

static void
add_runtime (GString *text, const PvRuntime *runtime)
{
  g_autofree char *path = pv_escape_controls (runtime->path);

  add_heading (text, "Runtime");
  g_string_append_printf (text, "  %s (%s)\n", path,
                          pv_layout_to_string (runtime->layout));
}

static void
add_options (GString *text, const GPtrArray *options)
{
  add_heading (text, "Options");
  for (guint i = 0; i < options->len; i++)
    {
      const PvPlanOption *option = g_ptr_array_index (options, i);
      g_autofree char *value = pv_escape_controls (option->value);

      g_string_append_printf (text, "  --%-18s %-24s %s\n", option->name, value, option->source);
    }
}

static char *
describe_mount (const PvMount *mount)
{
  g_autofree char *dest = pv_escape_controls (mount->dest);
  g_autofree char *source = mount->source != NULL ? pv_escape_controls (mount->source) : NULL;

  if (mount->kind == PV_MOUNT_LINK)
    return g_strdup_printf ("%s -> %s", dest, source);
  if (source != NULL && strcmp (source, dest) != 0)
    return g_strdup_printf ("%s from %s", dest, source);
  return g_steal_pointer (&dest);
}

static void
add_mounts (GString *text, const PvPlan *plan)
{
  g_autofree char *heading = g_strdup_printf ("Container (%u mounts)", pv_plan_count_mounts (plan));

  add_heading (text, heading);
  for (guint i = 0; i < plan->mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (plan->mounts, i);
      g_autofree char *what = describe_mount (mount);

      g_string_append_printf (text, "  %-8s %-52s  %s\n", pv_mount_kind_to_option (mount->kind),
                              what, mount->reason);
    }
  g_string_append_printf (text, "  PID namespace: %s\n", plan->share_pid ? "the host's" : "its own");
  g_string_append_printf (text, "  network namespace: %s\n",
                          plan->share_net ? "the host's" : "its own");
}

static void
add_environment (GString *text, const GPtrArray *edits)
{
  add_heading (text, "Environment (what differs)");
  for (guint i = 0; i < edits->len; i++)
    {
      const PvEnvironmentEdit *edit = g_ptr_array_index (edits, i);
      g_autofree char *name = pv_escape_controls (edit->name);
      g_autofree char *value = edit->value != NULL ? pv_escape_controls (edit->value) : NULL;

      if (value != NULL)
        g_string_append_printf (text, "  set      %s=%s  (%s)\n", name, value, edit->reason);
      else
        g_string_append_printf (text, "  unset    %s  (%s)\n", name, edit->reason);
    }
}

static void
add_program (GString *text, const PvPlan *plan, char **program)
{
  g_autofree char *cwd = pv_escape_controls (plan->cwd);

  add_heading (text, "Program");
  g_string_append_printf (text, "  in %s\n ", cwd);
  for (gsize i = 0; program[i] != NULL; i++)
    {
      g_autofree char *word = pv_escape_controls (program[i]);

      g_string_append_printf (text, " \"%s\"", word);
    }
  g_string_append_c (text, '\n');
}

/**
 * pv_plan_to_text:
 *
 * Returns: (transfer full): the plan for people: each mount with its reason, each option with its
 *  source
 */
char *
pv_plan_to_text (const PvPlanReport *report)
{
  g_autoptr (GString) text = g_string_new ("");

  add_runtime (text, report->runtime);
  add_options (text, report->options);
  add_mounts (text, report->plan);
  add_environment (text, report->plan->edits);
  add_program (text, report->plan, report->program);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
