/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/gc.h"

#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/process.h"
#include "copy/registry.h"
#include "lock/holders.h"
#include "tasks.h"
#include "usage.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_NOT_ALL 1

/* Of many processes, the first tell enough. */
#define MAX_SHOWN 3

static gboolean opt_dry_run;
static gboolean opt_json;
static gboolean opt_verbose;
static char **opt_parents;

static const GOptionEntry options[] = {
  { "dry-run", 0, 0, G_OPTION_ARG_NONE, &opt_dry_run, "Only say what would be removed", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print a JSON object", NULL },
  { "parent", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt_parents, "Clean only DIR; may be repeated",
    "DIR" },
  { "verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose, "Say what could not be looked at", NULL },
  { NULL },
};

static const PvctlUsage usage = {
  .name = "pvctl gc",
  .summary = "Removes mutable copies that nobody uses any more, and what was deployed from\n"
             "manifests that are gone, from all folders that --runtime-mutable-parent has\n"
             "ever named.",
  .options = options,
};

/**
 * Report: what is printed.
 * @parents: (element-type Parent): the folders
 * @dropped: (element-type filename): folders that are gone
 * @holders: (nullable): who holds which lock
 * @n_unreadable: how many processes did not say what they have mounted
 * @failed: whether something could not be done
 */
typedef struct
{
  GPtrArray *parents;
  GPtrArray *dropped;
  PvHolders *holders;
  guint n_unreadable;
  gboolean failed;
} Report;

/**
 * Parent: a folder of copies.
 * @path: (type filename): as it was named
 * @entries: (nullable) (element-type PvGcEntry): what became of what is in it
 * @error: (nullable): why it could not be cleaned
 */
typedef struct
{
  char *path;
  GPtrArray *entries;
  char *error;
} Parent;

static void
free_parent (gpointer data)
{
  Parent *parent = data;

  g_clear_pointer (&parent->entries, g_ptr_array_unref);
  g_free (parent->path);
  g_free (parent->error);
  g_free (parent);
}

static void
report_clear (Report *report)
{
  g_clear_pointer (&report->parents, g_ptr_array_unref);
  g_clear_pointer (&report->dropped, g_ptr_array_unref);
  g_clear_pointer (&report->holders, pv_holders_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Report, report_clear)

static void
note_failure (Report *report, const char *message)
{
  pv_log (PV_LOG_ERROR, "%s", message);
  report->failed = TRUE;
}

/* Returns: (transfer full): all that somebody has used; those that are gone are forgotten */
static char **
list_registered (Report *report)
{
  g_auto (GStrv) environment = g_get_environ ();
  g_autofree char *registry = pv_registry_get_path (environment);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) found = pv_registry_list (registry, &error);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  if (found == NULL)
    note_failure (report, error->message);
  for (guint i = 0; found != NULL && i < found->len; i++)
    {
      const PvRegistered *entry = found->pdata[i];

      if (!entry->dangling)
        g_ptr_array_add (paths, g_strdup (entry->path));
      else if (opt_dry_run || pv_registry_drop (registry, entry, &error))
        g_ptr_array_add (report->dropped, g_strdup (entry->path));
      else
        note_failure (report, error->message);
      g_clear_error (&error);
    }
  g_ptr_array_add (paths, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&paths), FALSE);
}

static void
clean (Report *report, const char *path, const PvMounted *mounted)
{
  g_autoptr (GError) error = NULL;
  Parent *parent = g_new0 (Parent, 1);

  g_ptr_array_add (report->parents, parent);
  parent->path = g_strdup (path);
  parent->entries = pv_gc_clean (path, mounted, opt_dry_run, &error);
  if (parent->entries == NULL)
    {
      parent->error = g_strdup (error->message);
      note_failure (report, error->message);
    }
  for (guint i = 0; parent->entries != NULL && i < parent->entries->len; i++)
    {
      const PvGcEntry *entry = parent->entries->pdata[i];
      g_autofree char *message = NULL;

      if (entry->outcome == PV_GC_IN_USE && report->holders == NULL)
        report->holders = pv_holders_read ();
      if (entry->outcome != PV_GC_FAILED)
        continue;
      message = g_strdup_printf ("Cannot remove \"%s\": %s", entry->path, entry->reason);
      note_failure (report, message);
    }
}

/* Returns: (nullable) (element-type pid_t): who uses it, as far as it is known; borrowed */
static const GArray *
get_users (const Report *report, const PvGcEntry *entry)
{
  if (entry->pids != NULL)
    return entry->pids;
  if (entry->lock_inode == 0 || report->holders == NULL)
    return NULL;
  return pv_holders_get (report->holders, entry->lock_device, entry->lock_inode);
}

static json_t *
string (const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  return valid != NULL ? json_string (valid) : json_null ();
}

static json_t *
entry_to_json (const Report *report, const PvGcEntry *entry)
{
  const GArray *pids = get_users (report, entry);
  json_t *object = json_object ();
  json_t *users = json_array ();

  for (guint i = 0; pids != NULL && i < pids->len; i++)
    {
      pid_t pid = g_array_index (pids, pid_t, i);
      g_autofree char *command = pv_process_get_command (pid);
      json_t *user = json_object ();

      json_object_set_new (user, "pid", json_integer (pid));
      json_object_set_new (user, "command", string (command));
      json_array_append_new (users, user);
    }
  json_object_set_new (object, "path", string (entry->path));
  json_object_set_new (object, "outcome", string (pv_gc_outcome_to_string (entry->outcome)));
  json_object_set_new (object, "reason", string (entry->reason));
  json_object_set_new (object, "users", users);
  return object;
}

static gboolean
print_json (const Report *report)
{
  json_t *object = json_object ();
  json_t *parents = json_array ();
  json_t *dropped = json_array ();
  gboolean ok;

  for (guint i = 0; i < report->parents->len; i++)
    {
      const Parent *parent = report->parents->pdata[i];
      json_t *item = json_object ();
      json_t *entries = json_array ();

      for (guint j = 0; parent->entries != NULL && j < parent->entries->len; j++)
        json_array_append_new (entries, entry_to_json (report, parent->entries->pdata[j]));
      json_object_set_new (item, "path", string (parent->path));
      json_object_set_new (item, "error", string (parent->error));
      json_object_set_new (item, "entries", entries);
      json_array_append_new (parents, item);
    }
  for (guint i = 0; i < report->dropped->len; i++)
    json_array_append_new (dropped, string (report->dropped->pdata[i]));

  json_object_set_new (object, "dry_run", json_boolean (opt_dry_run));
  json_object_set_new (object, "parents", parents);
  json_object_set_new (object, "dropped", dropped);
  json_object_set_new (object, "unreadable_processes", json_integer (report->n_unreadable));
  ok = json_dumpf (object, stdout, JSON_INDENT (2)) == 0 && putchar ('\n') != EOF;
  json_decref (object);
  return ok;
}

static char *
describe_users (const GArray *pids)
{
  GString *text = g_string_new ("in use");

  for (guint i = 0; pids != NULL && i < MIN (pids->len, MAX_SHOWN); i++)
    {
      pid_t pid = g_array_index (pids, pid_t, i);
      g_autofree char *command = pv_process_get_command (pid);

      g_string_append_printf (text, "%s %d (%s)", i == 0 ? " by" : ",", pid,
                              command != NULL ? command : "gone");
    }
  if (pids != NULL && pids->len > MAX_SHOWN)
    g_string_append_printf (text, " and %u more", pids->len - MAX_SHOWN);
  return g_string_free (text, FALSE);
}

static char *
describe (const Report *report, const PvGcEntry *entry)
{
  g_autofree char *users = NULL;

  switch (entry->outcome)
    {
    case PV_GC_IN_USE:
      if (entry->reason != NULL)
        return g_strdup_printf ("in use: %s", entry->reason);
      return describe_users (get_users (report, entry));
    case PV_GC_MOUNTED:
      users = describe_users (get_users (report, entry));
      return g_strconcat (users, ", mounted", NULL);
    case PV_GC_KEPT:
      return g_strdup ("it has a file \"keep\"");
    case PV_GC_NOT_OURS:
      return g_strdup_printf ("not ours: %s", entry->reason);
    case PV_GC_CURRENT:
    case PV_GC_CLOSED:
    case PV_GC_REMOVED:
    case PV_GC_FAILED:
    default:
      return g_strdup (entry->reason);
    }
}

static gboolean
print_line (const char *what, const char *path, const char *why)
{
  g_autofree char *line = g_strdup_printf ("%-12s  %s%s%s", what, path, why != NULL ? ": " : "",
                                           why != NULL ? why : "");
  g_autofree char *escaped = pv_escape_controls (line);

  return puts (escaped) >= 0;
}

static gboolean
print_text (const Report *report)
{
  gboolean ok = TRUE;

  for (guint i = 0; i < report->dropped->len; i++)
    ok = ok
         && print_line (opt_dry_run ? "would forget" : "forgotten", report->dropped->pdata[i],
                        "it is gone");
  for (guint i = 0; i < report->parents->len; i++)
    {
      const Parent *parent = report->parents->pdata[i];

      for (guint j = 0; ok && parent->entries != NULL && j < parent->entries->len; j++)
        {
          const PvGcEntry *entry = parent->entries->pdata[j];
          g_autofree char *why = describe (report, entry);

          if (entry->outcome == PV_GC_REMOVED)
            ok = print_line (opt_dry_run ? "would remove" : "removed", entry->path, NULL);
          else if (entry->outcome != PV_GC_FAILED)
            ok = print_line ("left", entry->path, why);
        }
    }
  return ok;
}

int
pvctl_gc (int argc, char **argv)
{
  g_auto (Report) report = { .parents = g_ptr_array_new_with_free_func (free_parent),
                             .dropped = g_ptr_array_new_with_free_func (g_free) };
  g_autoptr (PvMounted) mounted = NULL;
  g_auto (GStrv) parents = NULL;
  g_autoptr (GError) error = NULL;
  int status = pvctl_usage_parse (&usage, &argc, &argv);

  if (status != PVCTL_GO_ON)
    return status;
  if (opt_verbose)
    pv_log_set_level (PV_LOG_INFO);

  parents = opt_parents != NULL ? g_steal_pointer (&opt_parents) : list_registered (&report);
  mounted = pv_mounted_read ();
  report.n_unreadable = pv_mounted_count_unreadable (mounted);
  if (report.n_unreadable > 0)
    pv_info ("Cannot see what %u processes of other users have mounted", report.n_unreadable);
  for (char **parent = parents; *parent != NULL; parent++)
    clean (&report, *parent, mounted);

  if ((opt_json ? print_json (&report) : print_text (&report)) && fflush (stdout) == 0)
    return report.failed ? EXIT_NOT_ALL : EXIT_SUCCESS;
  pv_error_set (&error, PV_ERROR_FAILED, "Cannot write to standard output");
  return pvctl_usage_report (error);
}
