/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pv-launch would do, from pv-launch itself. */
#include "plan-reader.h"

#include "base/error.h"
#include "base/fd.h"
#include "plan/mount.h"

#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>

/* No plan is that long. */
#define MAX_LENGTH (16 * 1024 * 1024)

/* Beside this program, or where PV_LAUNCH says. */
static char *
find_launcher (void)
{
  const char *named = g_getenv ("PV_LAUNCH");
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = self != NULL ? g_path_get_dirname (self) : NULL;
  g_autofree char *beside = folder != NULL ? g_build_filename (folder, "pv-launch", NULL) : NULL;

  if (named != NULL && named[0] != '\0')
    return g_strdup (named);
  if (beside != NULL && access (beside, X_OK) == 0)
    return g_steal_pointer (&beside);
  return g_strdup ("pv-launch");
}

static char **
make_argv (const char *const *options)
{
  GPtrArray *argv = g_ptr_array_new ();

  g_ptr_array_add (argv, find_launcher ());
  for (; *options != NULL; options++)
    g_ptr_array_add (argv, g_strdup (*options));
  g_ptr_array_add (argv, g_strdup ("--dry-run=json"));
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup ("true"));
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (argv, FALSE);
}

/* Its complaints go where this program's go. */
static char *
run (const char *const *options, GError **error)
{
  g_auto (GStrv) argv = make_argv (options);
  g_autoptr (GError) local_error = NULL;
  g_autofree char *text = NULL;
  GPid pid;
  int out, status;

  if (!g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                                 NULL, NULL, &pid, NULL, &out, NULL, &local_error))
    {
      pv_error_set (error, PV_ERROR_FAILED, "Cannot run \"%s\": %s", argv[0], local_error->message);
      return NULL;
    }
  text = pv_fd_read_all (out, MAX_LENGTH, NULL, error);
  close (out);
  if (TEMP_FAILURE_RETRY (waitpid (pid, &status, 0)) < 0 || text == NULL)
    return NULL;
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return g_steal_pointer (&text);
  pv_error_set (error, PV_ERROR_FAILED, "Cannot explain: pv-launch could not make a plan");
  return NULL;
}

static gboolean
parse_kind (const char *name, PvMountKind *ret_kind)
{
  for (PvMountKind kind = PV_MOUNT_BIND; kind <= PV_MOUNT_FILE; kind++)
    {
      *ret_kind = kind;
      if (g_strcmp0 (name, pv_mount_kind_to_option (kind)) == 0)
        return TRUE;
    }
  return FALSE;
}

/* Returns: whether it is what pv-launch prints */
static gboolean
add_mount (GPtrArray *mounts, json_t *object)
{
  const char *dest = json_string_value (json_object_get (object, "dest"));
  const char *source = json_string_value (json_object_get (object, "source"));
  const char *reason = g_intern_string (json_string_value (json_object_get (object, "reason")));
  PvMountKind kind;

  if (dest == NULL || reason == NULL
      || !parse_kind (json_string_value (json_object_get (object, "kind")), &kind))
    return FALSE;
  if (kind == PV_MOUNT_LINK)
    pv_mounts_link (mounts, source, dest, reason);
  else
    pv_mounts_bind (mounts, kind, source, -1, NULL, dest, reason);
  return TRUE;
}

/**
 * pvctl_plan_read:
 * @options: (array zero-terminated=1): of pv-launch
 *
 * Returns: (transfer full) (element-type PvMount): what pv-launch would mount and make, or %NULL
 *  with @error set
 */
GPtrArray *
pvctl_plan_read (const char *const *options, GError **error)
{
  g_autofree char *text = run (options, error);
  g_autoptr (GPtrArray) mounts = pv_mounts_new ();
  json_t *root = text != NULL ? json_loads (text, 0, NULL) : NULL;
  json_t *array = json_object_get (root, "mounts");
  gboolean valid = json_is_array (array);
  json_t *object;
  size_t i;

  json_array_foreach (array, i, object) valid = valid && add_mount (mounts, object);
  json_decref (root);
  if (valid)
    return g_steal_pointer (&mounts);
  if (text != NULL)
    pv_error_set (error, PV_ERROR_FAILED, "Cannot explain: pv-launch printed something else");
  return NULL;
}
