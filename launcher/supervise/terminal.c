/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/**
 * pv_terminal_take_back:
 *
 * A shell with job control makes its own process group that of the foreground.  If it is killed, or
 * is in another PID namespace, it does not give the terminal back: who waits for this process could
 * not read from it.
 */
void
pv_terminal_take_back (void)
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
