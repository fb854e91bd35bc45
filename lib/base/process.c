/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/process.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a command, more tells a person nothing. */
#define MAX_COMMAND 200

static gint
compare_pids (gconstpointer a, gconstpointer b)
{
  const pid_t *left = a, *right = b;

  return (*left > *right) - (*left < *right);
}

/**
 * pv_process_list:
 *
 * Returns: (transfer full) (element-type pid_t): the processes that `/proc` shows, in ascending
 *  order
 */
GArray *
pv_process_list (void)
{
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (pid_t));
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      pid_t pid = atoi (name);

      if (pid > 0)
        g_array_append_val (pids, pid);
    }
  g_array_sort (pids, compare_pids);
  return pids;
}

static gsize
read_some (pid_t pid, const char *file, char *buffer, gsize size)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, file);
  pv_autofd fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY (read (fd, buffer, size));

  return length > 0 ? (gsize) length : 0;
}

/**
 * pv_process_get_command:
 *
 * Returns: (transfer full) (nullable): the command line of @pid as it shows it itself, the words
 *  separated by blanks, or its beginning; the name in brackets where there is none; %NULL if the
 *  process has gone
 */
char *
pv_process_get_command (pid_t pid)
{
  char buffer[MAX_COMMAND];
  gsize length = read_some (pid, "cmdline", buffer, sizeof buffer);
  gboolean cut = length == sizeof buffer;

  while (length > 0 && buffer[length - 1] == '\0')
    length--;
  if (length == 0)
    {
      length = read_some (pid, "comm", buffer, sizeof buffer);
      return length == 0 ? NULL : g_strdup_printf ("[%.*s]", (int) length - 1, buffer);
    }
  for (gsize i = 0; i < length; i++)
    {
      if (buffer[i] == '\0')
        buffer[i] = ' ';
    }
  return g_strdup_printf ("%.*s%s", (int) length, buffer, cut ? "…" : "");
}
