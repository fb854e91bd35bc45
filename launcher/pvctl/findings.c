/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "findings.h"

#include "base/error.h"

static void
finding_free (gpointer data)
{
  PvctlFinding *finding = data;

  g_free (finding->text);
  g_free (finding->remedy);
  g_free (finding);
}

/**
 * pvctl_findings_new:
 *
 * Returns: (transfer full) (element-type PvctlFinding): an empty list
 */
GPtrArray *
pvctl_findings_new (void)
{
  return g_ptr_array_new_with_free_func (finding_free);
}

/**
 * pvctl_findings_add:
 * @name: (transfer none): a literal
 * @remedy: (nullable): what to do
 * @format: one line
 */
void
pvctl_findings_add (GPtrArray *findings, const char *name, PvctlState state, const char *remedy,
                    const char *format, ...)
{
  PvctlFinding *finding = g_new0 (PvctlFinding, 1);
  va_list args;

  finding->name = name;
  finding->state = state;
  finding->remedy = g_strdup (remedy);
  va_start (args, format);
  finding->text = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (findings, finding);
}

/**
 * pvctl_findings_add_error:
 * @error: what is wrong; its hint is the remedy
 */
void
pvctl_findings_add_error (GPtrArray *findings, const char *name, PvctlState state,
                          const GError *error)
{
  pvctl_findings_add (findings, name, state, pv_error_get_hint (error), "%s", error->message);
}
