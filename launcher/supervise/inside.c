/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the container: the parent of the program, and of all that it leaves behind. */
#include "supervise/inside.h"
#include "supervise/fds.h"
#include "supervise/interactive.h"
#include "supervise/message.h"
#include "supervise/nodes.h"
#include "supervise/orders.h"
#include "supervise/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/**
 * PvInside:
 * @program: its pid; 0 once it has been waited for
 * @status: its exit status
 * @link: the socket to the supervisor outside; -1 once that one has gone
 * @signals: a signalfd
 * @has_children: whether anything is left in the container
 * @wrapped: the program is a shell that waits for another one
 */
typedef struct
{
  pid_t program;
  int status;
  int link;
  int signals;
  bool has_children;
  bool wrapped;
} PvInside;

/* Bubblewrap 0.8 takes paths: what lies there now must be what was resolved. */
static bool
check_mount (const char *expected)
{
  unsigned long long device, inode;
  int length = 0;
  struct stat st;

  if (sscanf (expected, "%llx:%llu:%n", &device, &inode, &length) < 2 || length == 0)
    return false;
  return lstat (expected + length, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* Process-oriented locks are not inherited. */
static bool
take_leases (const PvOrders *orders)
{
  struct flock whole_file = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

  for (int i = 0; orders->process_oriented && i < orders->n_leases; i++)
    {
      if (fcntl (orders->leases[i], F_SETLK, &whole_file) < 0)
        {
          pv_complain ("Cannot lock the runtime again inside the container: %s", strerror (errno));
          return false;
        }
    }
  return true;
}

static int
block_signals (sigset_t *ret_old_mask)
{
  sigset_t watched;

  pv_protocol_list_signals (&watched);
  sigaddset (&watched, SIGCHLD);
  sigprocmask (SIG_BLOCK, &watched, ret_old_mask);
  return signalfd (-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The program gets what is kept, this process what it holds, and nobody anything else: through an
 * fd that is left open here the program could reach what is not mounted for it. */
static bool
sort_out_fds (const PvOrders *orders, int signals)
{
  int *wanted = calloc ((size_t) (orders->n_leases + orders->n_kept + 3), sizeof *wanted);
  size_t n_wanted = 0;

  if (wanted == NULL)
    return false;

  wanted[n_wanted++] = orders->link;
  wanted[n_wanted++] = signals;
  if (orders->terminal >= 0)
    wanted[n_wanted++] = orders->terminal;
  for (int i = 0; i < orders->n_leases; i++)
    wanted[n_wanted++] = orders->leases[i];
  for (int i = 0; i < orders->n_kept; i++)
    wanted[n_wanted++] = orders->kept[i];
  pv_fds_close_all_but (wanted, n_wanted);
  free (wanted);

  pv_fds_set_close_on_exec (orders->link, true);
  if (orders->terminal >= 0)
    pv_fds_set_close_on_exec (orders->terminal, true);
  for (int i = 0; i < orders->n_leases; i++)
    pv_fds_set_close_on_exec (orders->leases[i], true);
  return true;
}

/* What was kept for the program is not this process's: the other end of a pipe must see it go.  An
 * fd of a lock file stays: to close it would lose a process-oriented lock. */
static void
drop_kept_fds (const PvOrders *orders)
{
  if (orders->terminal >= 0)
    close (orders->terminal);
  for (int i = 0; i < orders->n_kept && !orders->process_oriented; i++)
    close (orders->kept[i]);
}

static void
reap (PvInside *self)
{
  int status;
  pid_t pid;

  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    {
      if (pid != self->program)
        continue;
      self->program = 0;
      self->status = pv_status_from_wait (status);
    }
  self->has_children = pid == 0 || errno != ECHILD;
}

static void
pass_on (const PvInside *self, int number)
{
  if (self->program > 0 && self->wrapped)
    pv_interactive_signal (self->program, number);
  else if (self->program > 0)
    kill (self->program, number);
}

static void
handle_signal (PvInside *self)
{
  struct signalfd_siginfo info;

  if (PV_RETRY (read (self->signals, &info, sizeof info)) != (long) sizeof info)
    return;
  if (info.ssi_signo == SIGCHLD)
    reap (self);
  else if (info.ssi_code != SI_KERNEL)
    pass_on (self, (int) info.ssi_signo);
}

static void
handle_message (PvInside *self)
{
  PvMessage message;
  int result;

  while ((result = pv_message_receive (self->link, &message)) > 0)
    {
      if (message.kind == PV_MESSAGE_SIGNAL)
        pass_on (self, message.value);
    }
  if (result < 0)
    {
      close (self->link);
      self->link = -1;
    }
}

/* Until the last descendant has gone: it uses the runtime as well. */
static void
wait_for_end (PvInside *self)
{
  reap (self);
  while (self->has_children)
    {
      struct pollfd fds[] = {
        { .fd = self->signals, .events = POLLIN },
        { .fd = self->link, .events = POLLIN },
      };

      if (poll (fds, 2, -1) < 0)
        {
          /* To give up would be to let go of the leases. */
          nanosleep (&(struct timespec) { .tv_nsec = 10000000 }, NULL);
          reap (self);
          continue;
        }
      if (fds[1].revents != 0)
        handle_message (self);
      if (fds[0].revents != 0)
        handle_signal (self);
    }
}

static int
fail (int link, int status)
{
  pv_message_send (link, PV_MESSAGE_FAILED, status);
  return status;
}

static int
run (const PvOrders *orders)
{
  PvInside self = { .link = orders->link, .has_children = true, .wrapped = orders->wrapped };
  sigset_t old_mask;
  int status;

  for (int i = 0; i < orders->n_expected; i++)
    {
      if (check_mount (orders->expected[i]))
        continue;
      pv_message_send (orders->link, PV_MESSAGE_REPLACED, i);
      return PV_STATUS_LAUNCHER_FAILED;
    }
  if (!take_leases (orders) || !pv_nodes_make (orders))
    return fail (orders->link, PV_STATUS_LAUNCHER_FAILED);

  prctl (PR_SET_CHILD_SUBREAPER, 1);
  self.signals = block_signals (&old_mask);
  if (self.signals < 0 || !sort_out_fds (orders, self.signals))
    {
      pv_complain ("Cannot supervise inside the container: %s", strerror (errno));
      return fail (orders->link, PV_STATUS_LAUNCHER_FAILED);
    }
  self.program = pv_program_start (orders->program, orders->terminal, &old_mask, &status);
  if (self.program < 0)
    return fail (orders->link, status);

  drop_kept_fds (orders);
  pv_message_send (self.link, PV_MESSAGE_STARTED, self.program);
  wait_for_end (&self);
  pv_message_send (self.link, PV_MESSAGE_EXITED, self.status);
  return self.status;
}

/**
 * pv_inside:
 *
 * Options come in a memory file, as strings: `--link=FD`, `--error-output=FD`, `--lease=FD`,
 * `--keep=FD`, `--terminal=FD`, `--wrapped`, `--process-oriented`, `--setenv=NAME=VALUE`, `--unsetenv=NAME`,
 * `--expect=DEV:INO:PATH`, `--folder=MODE:PATH`, `--file=FD:PATH`,
 * `--link-to=TARGET` and the path as a string of its own; after `--`, there or on the command
 * line, the program.
 *
 * Returns: the program's status, or 125, 126, 127
 */
int
pv_inside (int argc, char **argv)
{
  PvOrders orders;

  prctl (PR_SET_NAME, "pv-supervise");
  if (!pv_orders_read (&orders, argc, argv)
      || dup2 (orders.error_output, STDERR_FILENO) != STDERR_FILENO)
    {
      pv_complain ("Cannot supervise: invalid orders");
      return PV_STATUS_LAUNCHER_FAILED;
    }
  return run (&orders);
}
