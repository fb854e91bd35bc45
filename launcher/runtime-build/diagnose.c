/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "diagnose.h"

#include <string.h>

/* What the log says, and what helps. */
static const struct
{
  const char *text;
  const char *hint;
} symptoms[] = {
  { "No space left on device", "free some space, or set TMPDIR to a folder that has more" },
  { "Could not resolve", "is there a network? --mirror=URL names another mirror" },
  { "Could not connect", "is there a network? --mirror=URL names another mirror" },
  { "Failed to fetch", "is there a network? --mirror=URL names another mirror" },
  { "NO_PUBKEY", "the keys of this suite are missing: apt install debian-archive-keyring" },
  { "Unable to locate package", "the recipe names a package that this suite does not have" },
  { "has no installation candidate",
    "the recipe names a package that this suite does not have" },
};

static gboolean
reads_as (const char *path, const char *value)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strcmp (g_strstrip (text), value) == 0;
}

static gboolean
has_subordinate_ids (const char *path, const char *user)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      if (g_str_has_prefix (lines[i], user) && lines[i][strlen (user)] == ':')
        return TRUE;
    }
  return FALSE;
}

/* What an ordinary user needs in order to be root in a namespace of its own. */
static char *
diagnose_user (void)
{
  static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
  g_autofree char *newuidmap = g_find_program_in_path ("newuidmap");
  const char *user = g_get_user_name ();

  if (newuidmap == NULL)
    return g_strdup ("newuidmap is missing: apt install uidmap");
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      if (!has_subordinate_ids (files[i], user))
        return g_strdup_printf ("%s has no entry for %s: as root, usermod --add-subuids "
                                "100000-165535 --add-subgids 100000-165535 %s",
                                files[i], user, user);
    }
  if (reads_as ("/proc/sys/kernel/unprivileged_userns_clone", "0"))
    return g_strdup ("user namespaces are switched off: as root, "
                     "sysctl kernel.unprivileged_userns_clone=1");
  if (reads_as ("/proc/sys/user/max_user_namespaces", "0"))
    return g_strdup ("user namespaces are switched off: as root, "
                     "sysctl user.max_user_namespaces=10000");
  if (reads_as ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
    return g_strdup ("user namespaces are restricted: as root, "
                     "sysctl kernel.apparmor_restrict_unprivileged_userns=0");
  return NULL;
}

/**
 * pv_diagnose:
 * @log: what mmdebstrap wrote before it failed
 * @privileged: it ran as root
 *
 * Returns: (transfer full): what the user can do about it
 */
char *
pv_diagnose (const char *log, gboolean privileged)
{
  char *hint = privileged ? NULL : diagnose_user ();

  for (gsize i = 0; hint == NULL && i < G_N_ELEMENTS (symptoms); i++)
    {
      if (strstr (log, symptoms[i].text) != NULL)
        hint = g_strdup (symptoms[i].hint);
    }
  return hint != NULL ? hint : g_strdup ("--verbose shows what mmdebstrap said last");
}
