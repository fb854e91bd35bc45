/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the supervisors do only if there is a shell, or a terminal that they know of. */
#include "supervise/interactive.h"
#include "supervise/children.h"
#include "supervise/message.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/**
 * pv_interactive_signal:
 * @wrapper: a child of this process: the shell that waits for the program
 *
 * Signals it and its children: a shell does not pass signals on.  If it ends, its children come to
 * this process, and their pids cannot become anybody else's before they are waited for.
 */
void
pv_interactive_signal (pid_t wrapper, int number)
{
  static PvChildren children;
  static char text[PV_MAX_CHILDREN * sizeof "1234567 "];
  char path[64];
  int fd;
  ssize_t got;

  snprintf (path, sizeof path, "/proc/%d/task/%d/children", (int)wrapper, (int)wrapper);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  got = fd < 0 ? 0 : PV_RETRY (read (fd, text, sizeof text - 1));
  if (fd >= 0)
    close (fd);
  text[got > 0 ? got : 0] = '\0';
  pv_children_parse (&children, text, NULL);

  kill (wrapper, number);
  for (size_t i = 0; i < children.count; i++)
    kill (children.pids[i], number);
}

/**
 * pv_interactive_take_terminal_back:
 *
 * A shell with job control makes its own process group that of the foreground.  If it is killed, or
 * is in another PID namespace, it does not give the terminal back: who waits for this process could
 * not read from it.
 */
void
pv_interactive_take_terminal_back (void)
{
  int fd = open ("/dev/tty", O_RDWR | O_CLOEXEC);
  pid_t foreground = fd < 0 ? -1 : tcgetpgrp (fd);
  sigset_t blocked;

  if (foreground > 0 && kill (-foreground, 0) < 0 && errno == ESRCH)
    {
      /* Or this process would be stopped, being in the background. */
      sigemptyset (&blocked);
      sigaddset (&blocked, SIGTTOU);
      sigprocmask (SIG_BLOCK, &blocked, NULL);
      tcsetpgrp (fd, getpgrp ());
    }
  if (fd >= 0)
    close (fd);
}
