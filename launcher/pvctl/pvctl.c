/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "tasks.h"
#include "usage.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const PvctlTask tasks[] = {
  { "doctor", "Say what this machine can do, and what must be mended", pvctl_doctor },
  { "explain", "Say whether a path is visible in a container", pvctl_explain },
  { "gc", "Remove mutable copies that nobody uses any more", pvctl_gc },
  { "runtime", "Build and list runtimes", pvctl_runtime },
  { NULL },
};

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  pv_log_init ("pvctl");
  if (!pv_fd_protect_stdio (&error))
    return pvctl_usage_report (error);
  if (argc == 2 && strcmp (argv[1], "--version") == 0)
    return puts ("pvctl " PV_VERSION) >= 0 && fflush (stdout) == 0 ? EXIT_SUCCESS
                                                                   : PVCTL_EXIT_FAILED;
  return pvctl_usage_dispatch ("pvctl", tasks, argc, argv);
}
