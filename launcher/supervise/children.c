/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/children.h"

#include "supervise/message.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static bool
has (const PvChildren *children, pid_t pid)
{
  for (size_t i = 0; children != NULL && i < children->count; i++)
    {
      if (children->pids[i] == pid)
        return true;
    }
  return false;
}

/**
 * pv_children_parse:
 * @children: (out): the pids in @text
 * @text: numbers, with blanks between them
 * @but: (nullable): those that are left out
 */
void
pv_children_parse (PvChildren *children, const char *text, const PvChildren *but)
{
  char *end;

  children->count = 0;
  for (const char *word = text; children->count < PV_MAX_CHILDREN; word = end)
    {
      pid_t pid = (pid_t) strtol (word, &end, 10);

      if (end == word)
        return;
      if (!has (but, pid))
        children->pids[children->count++] = pid;
    }
}

/**
 * pv_children_list:
 * @children: (out): the children of this process, which has one thread; none if the kernel does not
 *  list them (without CONFIG_PROC_CHILDREN)
 * @but: those that are left out
 */
void
pv_children_list (PvChildren *children, const PvChildren *but)
{
  static char text[PV_MAX_CHILDREN * sizeof "1234567 "];
  int fd = open ("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  ssize_t got;

  children->count = 0;
  if (fd < 0)
    return;
  while ((got = PV_RETRY (read (fd, text + length, sizeof text - 1 - length))) > 0)
    length += (size_t) got;
  close (fd);
  text[length] = '\0';
  pv_children_parse (children, text, but);
}
