/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be done when nobody is left who uses what the launch has made. */
#include "supervise/cleanup.h"
#include "supervise/fds.h"
#include "supervise/message.h"
#include "supervise/strings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child of a vfork: only system calls until it is another program. */
static void
become (char **argv, bool detached, volatile int *failure)
{
  sigset_t none;

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  if (detached)
    {
      int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

      setsid ();
      for (int fd = 0; null >= 0 && fd <= 2; fd++)
        dup2 (null, fd);
    }
  else
    {
      /* What is typed at the terminal is not for it: it would be left undone. */
      setpgid (0, 0);
    }
  execv (argv[0], argv);
  *failure = errno;
  _exit (PV_STATUS_LAUNCHER_FAILED);
}

/**
 * pv_cleanup_run:
 * @orders: a memory file: the path of a program, and its arguments, each with its NUL
 * @detached: whether it goes on in the background, without anything of the caller's
 *
 * Lets go of everything, the leases too: an exclusive lock is what the program will try to get.
 */
void
pv_cleanup_run (int orders, bool detached)
{
  volatile int failure = 0;
  size_t count;
  char **argv = pv_strings_map (orders, &count);
  pid_t pid;

  pv_fds_close_all_but (NULL, 0);
  if (argv == NULL)
    return;
  pid = vfork ();
  if (pid == 0)
    become (argv, detached, &failure);
  if (pid < 0)
    failure = errno;
  if (failure != 0)
    pv_complain ("Cannot execute \"%s\": %s", argv[0], strerror (failure));
  if (pid > 0 && (!detached || failure != 0))
    PV_RETRY (waitpid (pid, NULL, 0));
}
