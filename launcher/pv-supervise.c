/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same static program outside the container and inside it.
 *
 *   pv-supervise --outside [OPTION…] -- NAME     pv-launch becomes this one, and keeps its pid
 *   pv-supervise --inside=FD [-- PROGRAM ARG…]   bubblewrap starts this one; FD: further options
 *   pv-supervise --nothing                       the program of pv-launch --test
 *
 * Each holds the leases with open file descriptions of its own.  A socket of messages joins them:
 * from inside comes what became of the program, from outside come the signals.  Nothing here but
 * libc, so that it starts in any runtime. */
#include "supervise/inside.h"
#include "supervise/message.h"
#include "supervise/outside.h"

#include <signal.h>
#include <string.h>

int
main (int argc, char **argv)
{
  sigset_t broken_pipe;

  /* Who does not listen to a complaint must not end what waits for a program. */
  sigemptyset (&broken_pipe);
  sigaddset (&broken_pipe, SIGPIPE);
  sigprocmask (SIG_BLOCK, &broken_pipe, NULL);

  if (argc >= 2 && strncmp (argv[1], "--inside=", strlen ("--inside=")) == 0)
    return pv_inside (argc, argv);
  if (argc >= 2 && strcmp (argv[1], "--outside") == 0)
    return pv_outside (argc, argv);
  if (argc >= 2 && strcmp (argv[1], "--nothing") == 0)
    return 0;

  pv_complain ("This program is started by pv-launch");
  return PV_STATUS_LAUNCHER_FAILED;
}
