/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What descends from this process, as /proc tells it.  The kernel's lists of children are not
 * taken: not every kernel has them, and they need as many reads. */
#include "supervise/processes.h"

#include "supervise/message.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As many as are looked at; pages that are not needed cost nothing. */
#define MAX_PROCESSES 65536

typedef struct
{
  pid_t pid;
  pid_t parent;
  bool descends;
} PvProcess;

static PvProcess processes[MAX_PROCESSES];
static size_t n_processes;

static bool
has (const PvPids *pids, pid_t pid)
{
  for (size_t i = 0; pids != NULL && i < pids->count; i++)
    {
      if (pids->pids[i] == pid)
        return true;
    }
  return false;
}

/* All that bubblewrap makes is in a mount namespace of its own from the beginning. */
static bool
is_in_our_namespace (pid_t pid)
{
  char path[sizeof "/proc/2147483647/ns/mnt"];
  char theirs[64], ours[64];
  ssize_t theirs_length, ours_length;

  snprintf (path, sizeof path, "/proc/%d/ns/mnt", pid);
  theirs_length = readlink (path, theirs, sizeof theirs);
  ours_length = readlink ("/proc/self/ns/mnt", ours, sizeof ours);
  return theirs_length > 0 && theirs_length == ours_length
         && memcmp (theirs, ours, (size_t) ours_length) == 0;
}

/* Of a child of this process. */
static bool
is_foreign (const PvPids *but, pid_t pid)
{
  return has (but, pid) || (but != NULL && but->were_any && is_in_our_namespace (pid));
}

/**
 * pv_pids_parse:
 * @pids: (out): the pids in @text
 * @text: numbers, with blanks between them
 */
void
pv_pids_parse (PvPids *pids, const char *text)
{
  char *end;

  pids->count = 0;
  for (const char *word = text; pids->count < PV_MAX_PIDS; word = end)
    {
      pid_t pid = (pid_t) strtol (word, &end, 10);

      if (end == word)
        return;
      pids->pids[pids->count++] = pid;
      pids->were_any = true;
    }
}

/**
 * pv_pids_remove:
 *
 * Once a child has been waited for, another process can get its pid.
 */
void
pv_pids_remove (PvPids *pids, pid_t pid)
{
  for (size_t i = 0; i < pids->count; i++)
    {
      if (pids->pids[i] == pid)
        pids->pids[i--] = pids->pids[--pids->count];
    }
}

/* Returns: the parent of @pid, or 0 if it has ended */
static pid_t
read_parent (pid_t pid)
{
  char path[sizeof "/proc/2147483647/stat"];
  char text[512];
  const char *end_of_name;
  ssize_t length;
  char state;
  int parent;
  int fd;

  snprintf (path, sizeof path, "/proc/%d/stat", pid);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  length = PV_RETRY (read (fd, text, sizeof text - 1));
  close (fd);
  text[length > 0 ? length : 0] = '\0';
  end_of_name = strrchr (text, ')');
  if (end_of_name == NULL || sscanf (end_of_name + 1, " %c %d", &state, &parent) != 2
      || state == 'Z')
    return 0;
  return parent;
}

static void
add (const char *name)
{
  pid_t pid = (pid_t) atoi (name);
  pid_t parent = pid > 0 ? read_parent (pid) : 0;

  if (parent > 0 && n_processes < MAX_PROCESSES)
    processes[n_processes++] = (PvProcess) { .pid = pid, .parent = parent };
}

static void
scan (void)
{
  static _Alignas(struct dirent64) char entries[4096];
  int proc = open ("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long length;

  n_processes = 0;
  if (proc < 0)
    return;
  while ((length = syscall (SYS_getdents64, proc, entries, sizeof entries)) > 0)
    {
      const struct dirent64 *entry;

      for (long i = 0; i < length; i += entry->d_reclen)
        {
          entry = (const void *) (entries + i);
          add (entry->d_name);
        }
    }
  close (proc);
}

static bool
descends (pid_t pid)
{
  size_t low = 0, high = n_processes;

  /* /proc lists them by their numbers. */
  while (low < high)
    {
      size_t middle = low + (high - low) / 2;

      if (processes[middle].pid == pid)
        return processes[middle].descends;
      if (processes[middle].pid < pid)
        low = middle + 1;
      else
        high = middle;
    }
  return false;
}

static void
mark_descendants (const PvPids *but)
{
  pid_t self = getpid ();
  bool changed = true;

  while (changed)
    {
      changed = false;
      for (size_t i = 0; i < n_processes; i++)
        {
          PvProcess *process = &processes[i];

          if (process->descends
              || !(process->parent == self ? !is_foreign (but, process->pid)
                                           : descends (process->parent)))
            continue;
          process->descends = true;
          changed = true;
        }
    }
}

/* Its number may be another's by now, but not while it is seen to have the same parent, or to have
 * come to this process, after the pidfd was opened. */
static void
send_signal (const PvProcess *process, int number)
{
  int fd = (int) syscall (SYS_pidfd_open, process->pid, 0);
  pid_t parent;

  if (fd < 0)
    return;
  parent = read_parent (process->pid);
  if (parent == process->parent || parent == getpid ())
    syscall (SYS_pidfd_send_signal, fd, number, NULL, 0);
  close (fd);
}

/**
 * pv_processes_has_children:
 * @but: (nullable): those that do not count
 *
 * Returns: whether this process has children that have not ended.  If one of them leaves a child at
 *  this moment, that one may be overlooked: ask again.
 */
bool
pv_processes_has_children (const PvPids *but)
{
  pid_t self = getpid ();

  scan ();
  for (size_t i = 0; i < n_processes; i++)
    {
      if (processes[i].parent == self && !is_foreign (but, processes[i].pid))
        return true;
    }
  return false;
}

/**
 * pv_processes_signal_descendants:
 * @but: (nullable): children that are left alone, with all below them
 * @number: the signal
 *
 * Sends @number to all that descends from this process.  What comes into being meanwhile may be
 * overlooked.
 */
void
pv_processes_signal_descendants (const PvPids *but, int number)
{
  scan ();
  mark_descendants (but);
  for (size_t i = 0; i < n_processes; i++)
    {
      if (processes[i].descends)
        send_signal (&processes[i], number);
    }
}

/**
 * pv_processes_signal_with_children:
 * @pid: a child of this process
 * @number: the signal
 *
 * Sends @number to @pid and to its own children.
 */
void
pv_processes_signal_with_children (pid_t pid, int number)
{
  /* Before they come to this process, because @pid has ended. */
  scan ();
  kill (pid, number);
  for (size_t i = 0; i < n_processes; i++)
    {
      if (processes[i].parent == pid)
        send_signal (&processes[i], number);
    }
}
