/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bubblewrap: whether it is there, what it can do, and whether it works. */
#include "base/error.h"
#include "findings.h"
#include "host/bwrap-failure.h"
#include "host/bwrap.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Returns: (transfer full): what it prints, or %NULL if it fails
 * @ret_errors: (out) (transfer full) (optional): what it complains of */
static char *
ask (const char *const *argv, char **ret_errors)
{
  g_autofree char *text = NULL;
  int status;

  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &text, ret_errors,
                     &status, NULL)
      || !WIFEXITED (status) || WEXITSTATUS (status) != 0)
    return NULL;
  return g_strchomp (g_steal_pointer (&text));
}

/* Returns: whether it answers */
static gboolean
find_version (GPtrArray *findings, const char *bwrap)
{
  const char *const version_argv[] = { bwrap, "--version", NULL };
  const char *const help_argv[] = { bwrap, "--help", NULL };
  g_autofree char *version = ask (version_argv, NULL);
  g_autofree char *help = ask (help_argv, NULL);
  struct stat st;

  if (version == NULL || help == NULL)
    {
      pvctl_findings_add (findings, "bwrap", PVCTL_BAD, "install the package bubblewrap",
                          "\"%s\" does not answer as bubblewrap does", bwrap);
      return FALSE;
    }
  pvctl_findings_add (findings, "bwrap", PVCTL_OK, NULL, "%s is %s%s", bwrap, version,
                      strstr (help, "--overlay-src") != NULL ? ", which can mount overlays" : "");
  if (stat (bwrap, &st) == 0 && (st.st_mode & S_ISUID) != 0)
    pvctl_findings_add (
        findings, "bwrap-setuid", PVCTL_NOTE, "as root: chmod u-s it, if user namespaces work",
        "%s is setuid: overlays of its own and other namespaces are refused", bwrap);
  return TRUE;
}

/* The smallest container, from the host's own root. */
static void
find_whether_it_works (GPtrArray *findings, const char *bwrap)
{
  const char *const argv[] = { bwrap, "--ro-bind", "/", "/", "--cap-drop", "ALL", "true", NULL };
  g_autofree char *errors = NULL;
  g_autofree char *text = ask (argv, &errors);
  g_autoptr (GError) error = NULL;

  if (text != NULL)
    {
      pvctl_findings_add (findings, "container", PVCTL_OK, NULL, "a container can be started");
      return;
    }
  pv_bwrap_failure_set (errors != NULL ? errors : (char[]) { "" }, &error);
  if (pv_error_get_hint (error) == NULL)
    pv_error_hint (&error, "see what bwrap --ro-bind / / true says");
  pvctl_findings_add_error (findings, "container", PVCTL_BAD, error);
}

/**
 * pvctl_find_bwrap:
 * @findings: (inout): gets what is found
 */
void
pvctl_find_bwrap (GPtrArray *findings, char **environment)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *bwrap = pv_bwrap_find (environment, &error);

  if (bwrap == NULL)
    {
      pvctl_findings_add_error (findings, "bwrap", PVCTL_BAD, error);
      return;
    }
  if (find_version (findings, bwrap))
    find_whether_it_works (findings, bwrap);
}
