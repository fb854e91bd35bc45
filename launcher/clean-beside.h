/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "copy/copy.h"

pid_t pv_clean_beside (const PvCopy *copy, char **environment);
