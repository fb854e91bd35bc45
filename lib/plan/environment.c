/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/environment.h"

#include <string.h>

/* The default of login(1) and of Debian's /etc/profile for users. */
#define RUNTIME_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

static void
edit_free (gpointer data)
{
  PvEnvironmentEdit *edit = data;

  g_free (edit->name);
  g_free (edit->value);
  g_free (edit);
}

/**
 * pv_environment_edits_new:
 *
 * Returns: (transfer full) (element-type PvEnvironmentEdit): an empty list
 */
GPtrArray *
pv_environment_edits_new (void)
{
  return g_ptr_array_new_with_free_func (edit_free);
}

/**
 * pv_environment_edit:
 * @edits: (inout): the list; an earlier edit of the same variable is replaced
 * @name: the variable
 * @value: (nullable): %NULL: not set
 * @reason: (transfer none): a literal
 */
void
pv_environment_edit (GPtrArray *edits, const char *name, const char *value, const char *reason)
{
  PvEnvironmentEdit *edit = g_new0 (PvEnvironmentEdit, 1);

  for (guint i = 0; i < edits->len; i++)
    {
      const PvEnvironmentEdit *earlier = g_ptr_array_index (edits, i);

      if (strcmp (earlier->name, name) == 0)
        {
          g_ptr_array_remove_index (edits, i);
          break;
        }
    }

  edit->name = g_strdup (name);
  edit->value = g_strdup (value);
  edit->reason = reason;
  g_ptr_array_add (edits, edit);
}

/**
 * pv_environment_is_for_loader:
 * @variable: `NAME` or `NAME=VALUE`
 *
 * Returns: whether the dynamic loader obeys it: such variables are meant for the program, and must
 *  not reach the host's bubblewrap
 */
gboolean
pv_environment_is_for_loader (const char *variable)
{
  return g_str_has_prefix (variable, "LD_") || g_str_has_prefix (variable, "GLIBC_TUNABLES");
}

/* What the loader obeys goes to the program alone; what this launcher obeys was for this launch. */
static void
sort_out_variables (GPtrArray *edits, char **environment)
{
  for (gsize i = 0; environment[i] != NULL; i++)
    {
      const char *equals = strchr (environment[i], '=');
      g_autofree char *name
        = equals != NULL ? g_strndup (environment[i], (gsize) (equals - environment[i])) : NULL;

      if (name == NULL)
        continue;
      if (pv_environment_is_for_loader (name))
        pv_environment_edit (edits, name, equals + 1, "the caller's, kept from bubblewrap itself");
      else if (g_str_has_prefix (name, "PV_LAUNCH_"))
        pv_environment_edit (edits, name, NULL, "it was for this launch");
    }
}

/**
 * pv_environment_plan:
 * @environment: (array zero-terminated=1): of the caller
 * @is_host: whether the program runs with the host's own `/usr`
 * @runtime_dir: (type filename): `$XDG_RUNTIME_DIR` in the container
 * @user_edits: (element-type PvEnvironmentEdit): what the user asked for; it wins
 *
 * Returns: (transfer full) (element-type PvEnvironmentEdit): all that differs from @environment
 */
GPtrArray *
pv_environment_plan (char **environment, gboolean is_host, const char *runtime_dir,
                     const GPtrArray *user_edits)
{
  GPtrArray *edits = pv_environment_edits_new ();
  const char *old_runtime_dir = g_environ_getenv (environment, "XDG_RUNTIME_DIR");

  sort_out_variables (edits, environment);
  pv_environment_edit (edits, "container", "pv-launch", "programs ask for it (systemd's convention)");
  if (!is_host)
    pv_environment_edit (edits, "PATH", RUNTIME_PATH, "the runtime's programs, not the host's");
  if (g_strcmp0 (old_runtime_dir, runtime_dir) != 0)
    pv_environment_edit (edits, "XDG_RUNTIME_DIR", runtime_dir, "it was not set, or led nowhere");

  for (guint i = 0; i < user_edits->len; i++)
    {
      const PvEnvironmentEdit *edit = g_ptr_array_index (user_edits, i);

      pv_environment_edit (edits, edit->name, edit->value, edit->reason);
    }
  return edits;
}
