/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a program will see a path of the host. */
#include "base/error.h"
#include "base/escape.h"
#include "base/log.h"
#include "plan-reader.h"
#include "plan/reserved.h"
#include "plan/visibility.h"
#include "tasks.h"
#include "usage.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_NOT_VISIBLE 1

static gboolean opt_json;

static const GOptionEntry options[] = {
  { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print a JSON array", NULL },
  { NULL },
};

static const PvctlUsage usage = {
  .name = "pvctl explain",
  .arguments = "PATH… [-- OPTION…]",
  .summary = "Says whether and how paths of the host are visible in a container that is\n"
             "started with these options of pv-launch.",
  .options = options,
  .min_args = 1,
  .max_args = INT_MAX,
};

/**
 * Answer: about one path.
 * @path: (type filename): as it was given
 * @absolute: (type filename): the same, as it is looked for in the container
 * @real: (type filename): where that is, without links
 * @seen: what is there in the container
 * @same: whether that is what is there on the host
 * @elsewhere: (element-type PvVisibility): other places where it is seen
 */
typedef struct
{
  const char *path;
  char *absolute;
  char *real;
  PvVisibility *seen;
  gboolean same;
  GPtrArray *elsewhere;
} Answer;

static void
answer_free (gpointer data)
{
  Answer *answer = data;

  g_clear_pointer (&answer->seen, pv_visibility_free);
  g_clear_pointer (&answer->elsewhere, g_ptr_array_unref);
  g_free (answer->absolute);
  g_free (answer->real);
  g_free (answer);
}

static void
visibility_free (gpointer data)
{
  pv_visibility_free (data);
}

static gboolean
is_same (const PvVisibility *seen, const struct stat *wanted)
{
  struct stat st;

  return seen->host_path != NULL && stat (seen->host_path, &st) == 0 && st.st_dev == wanted->st_dev
         && st.st_ino == wanted->st_ino;
}

/* A link of the host leads in the container to what has the target's name there. */
static gboolean
is_reached (const GPtrArray *mounts, const PvVisibility *seen, const struct stat *wanted)
{
  g_autofree char *real = NULL;
  g_autoptr (PvVisibility) target = NULL;

  if (!is_same (seen, wanted))
    return FALSE;
  real = realpath (seen->host_path, NULL);
  if (g_strcmp0 (real, seen->host_path) == 0)
    return TRUE;
  target = real != NULL ? pv_visibility_find (mounts, real) : NULL;
  return target != NULL && is_same (target, wanted);
}

static void
find_elsewhere (Answer *answer, const GPtrArray *mounts, const struct stat *wanted)
{
  g_autoptr (GPtrArray) places = pv_visibility_list_places (mounts, answer->real);

  for (guint i = 0; i < places->len; i++)
    {
      g_autoptr (PvVisibility) seen = pv_visibility_find (mounts, places->pdata[i]);

      if (strcmp (seen->path, answer->seen->path) != 0 && is_reached (mounts, seen, wanted))
        g_ptr_array_add (answer->elsewhere, g_steal_pointer (&seen));
    }
}

/* Returns: (transfer full): or %NULL with @error set */
static Answer *
explain (const GPtrArray *mounts, const char *path, GError **error)
{
  Answer *answer = g_new0 (Answer, 1);
  struct stat st;

  answer->path = path;
  answer->absolute = g_canonicalize_filename (path, NULL);
  answer->real = realpath (path, NULL);
  answer->elsewhere = g_ptr_array_new_with_free_func (visibility_free);
  if (answer->real == NULL || stat (answer->real, &st) < 0)
    {
      pv_error_set_errno (error, errno, "Cannot explain \"%s\"", path);
      answer_free (answer);
      return NULL;
    }
  answer->seen = pv_visibility_find (mounts, answer->absolute);
  answer->same = is_reached (mounts, answer->seen, &st);
  find_elsewhere (answer, mounts, &st);
  return answer;
}

static gboolean
is_writable (const PvMount *mount)
{
  return mount->kind == PV_MOUNT_BIND || mount->kind == PV_MOUNT_BIND_DEVICES;
}

static char *
make_hint (const Answer *answer)
{
  const char *reserved = pv_reserved_find (answer->real);

  if (answer->same)
    return NULL;
  if (reserved != NULL)
    return g_strdup_printf ("it cannot be shared there: %s is the container's own", reserved);
  return g_strdup_printf ("--filesystem=%s shares it", answer->real);
}

static void
print_seen (const PvVisibility *seen, const char *name, const char *label)
{
  g_autofree char *path = pv_escape_controls (name);

  printf ("  %s %s, %s\n", label, path, is_writable (seen->mount) ? "writable" : "read-only");
  for (guint i = 0; i < seen->links->len; i++)
    {
      const PvMount *link = seen->links->pdata[i];

      printf ("    link     %s -> %s (%s)\n", link->dest, link->source, link->reason);
    }
  printf ("    mount    %s from %s (%s)\n", seen->mount->dest, seen->mount->source,
          seen->mount->reason);
}

static void
print_instead (const Answer *answer)
{
  const PvVisibility *seen = answer->seen;

  if (seen->mount == NULL)
    printf ("  nothing is there in the container\n");
  else if (seen->host_path != NULL && access (seen->host_path, F_OK) < 0)
    printf ("  nothing is there: %s is %s\n", seen->mount->dest, seen->mount->reason);
  else
    printf ("  something else is there: %s is %s\n", seen->mount->dest, seen->mount->reason);
}

static void
print_text (const Answer *answer)
{
  g_autofree char *path = pv_escape_controls (answer->path);
  g_autofree char *hint = make_hint (answer);

  printf ("%s: %s\n", path,
          answer->same                 ? "visible"
          : answer->elsewhere->len > 0 ? "visible, but not there"
                                       : "not visible");
  if (answer->same)
    print_seen (answer->seen, answer->absolute, "as");
  else
    print_instead (answer);
  for (guint i = 0; i < answer->elsewhere->len; i++)
    {
      const PvVisibility *seen = answer->elsewhere->pdata[i];

      print_seen (seen, seen->path, answer->same ? "also as" : "as");
    }
  if (hint != NULL)
    printf ("  hint: %s\n", hint);
}

static json_t *
string (const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  return valid != NULL ? json_string (valid) : json_null ();
}

static json_t *
mount_to_json (const PvMount *mount)
{
  json_t *object;

  if (mount == NULL)
    return json_null ();
  object = json_object ();
  json_object_set_new (object, "kind", json_string (pv_mount_kind_to_option (mount->kind)));
  json_object_set_new (object, "dest", string (mount->dest));
  json_object_set_new (object, "source", string (mount->source));
  json_object_set_new (object, "reason", string (mount->reason));
  return object;
}

static json_t *
seen_to_json (const PvVisibility *seen, const char *name)
{
  json_t *object = json_object ();
  json_t *links = json_array ();

  for (guint i = 0; i < seen->links->len; i++)
    json_array_append_new (links, mount_to_json (seen->links->pdata[i]));
  json_object_set_new (object, "path", string (name));
  json_object_set_new (object, "writable", json_boolean (is_writable (seen->mount)));
  json_object_set_new (object, "links", links);
  json_object_set_new (object, "mount", mount_to_json (seen->mount));
  return object;
}

static json_t *
answer_to_json (const Answer *answer)
{
  g_autofree char *hint = make_hint (answer);
  json_t *object = json_object ();
  json_t *places = json_array ();

  if (answer->same)
    json_array_append_new (places, seen_to_json (answer->seen, answer->absolute));
  for (guint i = 0; i < answer->elsewhere->len; i++)
    {
      const PvVisibility *seen = answer->elsewhere->pdata[i];

      json_array_append_new (places, seen_to_json (seen, seen->path));
    }
  json_object_set_new (object, "path", string (answer->path));
  json_object_set_new (object, "real_path", string (answer->real));
  json_object_set_new (object, "visible", json_boolean (answer->same));
  json_object_set_new (object, "places", places);
  json_object_set_new (object, "instead",
                       answer->same ? json_null () : mount_to_json (answer->seen->mount));
  json_object_set_new (object, "hint", string (hint));
  return object;
}

static gboolean
print_all (const GPtrArray *answers)
{
  json_t *array;
  gboolean ok;

  if (!opt_json)
    {
      for (guint i = 0; i < answers->len; i++)
        print_text (answers->pdata[i]);
      return fflush (stdout) == 0 && !ferror (stdout);
    }
  array = json_array ();
  for (guint i = 0; i < answers->len; i++)
    json_array_append_new (array, answer_to_json (answers->pdata[i]));
  ok = json_dumpf (array, stdout, JSON_INDENT (2)) == 0 && putchar ('\n') != EOF
       && fflush (stdout) == 0;
  json_decref (array);
  return ok;
}

/* Cuts the command line at "--", which GOption would take away.  Returns: what follows it */
static const char *const *
cut_launch_options (int *argc, char **argv)
{
  static const char *const none[] = { NULL };

  for (int i = 1; i < *argc; i++)
    {
      if (strcmp (argv[i], "--") != 0)
        continue;
      argv[i] = NULL;
      *argc = i;
      return (const char *const *) &argv[i + 1];
    }
  return none;
}

int
pvctl_explain (int argc, char **argv)
{
  const char *const *launch_options = cut_launch_options (&argc, argv);
  g_autoptr (GPtrArray) answers = g_ptr_array_new_with_free_func (answer_free);
  g_autoptr (GPtrArray) mounts = NULL;
  g_autoptr (GError) error = NULL;
  int status = pvctl_usage_parse (&usage, &argc, &argv);

  if (status != PVCTL_GO_ON)
    return status;
  mounts = pvctl_plan_read (launch_options, &error);
  if (mounts == NULL)
    return pvctl_usage_report (error);
  status = EXIT_SUCCESS;
  for (int i = 1; i < argc; i++)
    {
      Answer *answer = explain (mounts, argv[i], &error);

      if (answer == NULL)
        return pvctl_usage_report (error);
      g_ptr_array_add (answers, answer);
      if (!answer->same)
        status = EXIT_NOT_VISIBLE;
    }
  if (print_all (answers))
    return status;
  pv_log (PV_LOG_ERROR, "Cannot write to standard output");
  return PVCTL_EXIT_FAILED;
}
