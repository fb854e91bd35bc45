/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tasks.h"
#include "usage.h"

static const PvctlTask runtime_tasks[] = {
  { "build", "Build a runtime from a recipe, into the store", pvctl_runtime_build },
  { "list", "List the runtimes in the stores", pvctl_runtime_list },
  { NULL },
};

int
pvctl_runtime (int argc, char **argv)
{
  return pvctl_usage_dispatch ("pvctl runtime", runtime_tasks, argc, argv);
}
