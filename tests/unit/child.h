/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * PvHoldKind: the families of locks that there are.  These take them by themselves, without the
 * code that is tested.
 */
typedef enum
{
  PV_HOLD_OFD,
  PV_HOLD_POSIX,
  PV_HOLD_BSD,
} PvHoldKind;

/**
 * PvHolder: a process that holds a lock until it is told to let go.
 */
typedef struct
{
  pid_t pid;
  int stop_fd;
} PvHolder;

typedef int (*PvChildFunc) (gconstpointer data);

int pv_child_run (PvChildFunc func, gconstpointer data);
gboolean pv_child_run_in_namespaces (PvChildFunc func, gconstpointer data, int *ret_status,
                                     char **ret_why_not);

gboolean pv_hold_fd (int fd, PvHoldKind kind, gboolean exclusive, gboolean wait);
PvHolder pv_holder_start (const char *path, PvHoldKind kind, gboolean exclusive);
void pv_holder_stop (PvHolder *holder);
gboolean pv_holder_would_get (const char *path, PvHoldKind kind, gboolean exclusive);
