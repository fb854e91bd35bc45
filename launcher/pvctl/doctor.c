/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this machine can do for containers, and what is in the way. */
#include "base/escape.h"
#include "base/log.h"
#include "findings.h"
#include "tasks.h"
#include "usage.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_BAD 1

static gboolean opt_json;

static const GOptionEntry options[] = {
  { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print a JSON array", NULL },
  { NULL },
};

static const PvctlUsage usage = {
  .name = "pvctl doctor",
  .summary = "Says what this machine can do for containers, and what must be mended.",
  .options = options,
};

static const char *
state_to_string (PvctlState state)
{
  static const char *const names[] = { "ok", "note", "bad" };

  return names[state];
}

static json_t *
string (const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  return valid != NULL ? json_string (valid) : json_null ();
}

static gboolean
print_json (const GPtrArray *findings)
{
  json_t *array = json_array ();
  gboolean ok;

  for (guint i = 0; i < findings->len; i++)
    {
      const PvctlFinding *finding = findings->pdata[i];
      json_t *object = json_object ();

      json_object_set_new (object, "name", json_string (finding->name));
      json_object_set_new (object, "state", json_string (state_to_string (finding->state)));
      json_object_set_new (object, "text", string (finding->text));
      json_object_set_new (object, "remedy", string (finding->remedy));
      json_array_append_new (array, object);
    }
  ok = json_dumpf (array, stdout, JSON_INDENT (2)) == 0 && putchar ('\n') != EOF;
  json_decref (array);
  return ok;
}

static void
print_text (const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++)
    {
      const PvctlFinding *finding = findings->pdata[i];
      g_autofree char *text = pv_escape_controls (finding->text);

      printf ("%-5s%-17s%s\n", state_to_string (finding->state), finding->name, text);
      if (finding->remedy != NULL)
        printf ("%-5s%-17sremedy: %s\n", "", "", finding->remedy);
    }
}

int
pvctl_doctor (int argc, char **argv)
{
  g_autoptr (GPtrArray) findings = pvctl_findings_new ();
  g_auto (GStrv) environment = g_get_environ ();
  int status = pvctl_usage_parse (&usage, &argc, &argv);
  gboolean ok = TRUE;

  if (status != PVCTL_GO_ON)
    return status;
  pvctl_find_bwrap (findings, environment);
  pvctl_find_kernel (findings);
  pvctl_find_places (findings, environment);

  if (opt_json)
    ok = print_json (findings);
  else
    print_text (findings);
  if (!ok || fflush (stdout) != 0 || ferror (stdout))
    {
      pv_log (PV_LOG_ERROR, "Cannot write to standard output");
      return PVCTL_EXIT_FAILED;
    }
  for (guint i = 0; i < findings->len; i++)
    {
      if (((const PvctlFinding *) findings->pdata[i])->state == PVCTL_BAD)
        return EXIT_BAD;
    }
  return EXIT_SUCCESS;
}
