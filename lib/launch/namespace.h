/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "launch/fd-set.h"
#include "launch/launch.h"

pid_t pv_namespace_start (const PvLaunchInput *input, const PvFdSet *set, char **argv,
                          char **environment, const sigset_t *mask, GError **error);
