/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the container: the parent of the program, and of all that it leaves behind. */
#include "supervise/inside.h"
#include "supervise/fds.h"
#include "supervise/message.h"
#include "supervise/nodes.h"
#include "supervise/orders.h"
#include "supervise/program.h"
#include "supervise/supervision.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define OVERLAYFS_SUPER_MAGIC 0x794c7630UL
#include <sys/wait.h>
#include <unistd.h>

/**
 * PvInside:
 * @supervision: what is done by whoever is the program's parent
 * @link: the socket to the supervisor outside; -1 once that one has gone
 * @exit_with_parent: whether the program is asked to end when that one has gone
 * @reported: whether that one knows the status
 */
typedef struct
{
  PvSupervision supervision;
  int link;
  bool exit_with_parent;
  bool reported;
} PvInside;

/* Bubblewrap 0.8 takes paths: what lies there now must be what was resolved. */
static bool
check_mount (const char *expected)
{
  unsigned long long device, inode;
  int length = 0;
  struct statfs filesystem;
  struct stat st;

  if (sscanf (expected, "%llx:%llu:%n", &device, &inode, &length) < 2 || length == 0)
    return false;
  if (inode == 0)
    return statfs (expected + length, &filesystem) == 0
           && (unsigned long) filesystem.f_type == OVERLAYFS_SUPER_MAGIC;
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

/* Not SIGCONT: it wakes this process, and the one outside says when the program is to have it. */
static void
block_signals (PvSupervision *supervision)
{
  sigset_t watched;

  pv_protocol_list_signals (&watched);
  sigdelset (&watched, SIGCONT);
  sigaddset (&watched, SIGCHLD);
  sigprocmask (SIG_BLOCK, &watched, NULL);
  pv_supervision_watch (supervision, &watched);
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
  if (signals >= 0)
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
handle_messages (PvInside *self)
{
  PvMessage message;
  int result;

  while ((result = pv_message_receive (self->link, &message)) > 0)
    {
      if (message.kind == PV_MESSAGE_SIGNAL)
        pv_supervision_signal (&self->supervision, message.value);
    }
  if (result == 0)
    return;
  close (self->link);
  self->link = -1;
  if (self->exit_with_parent)
    pv_supervision_signal (&self->supervision, SIGTERM);
}

static void
wait_for_change (PvInside *self)
{
  PvSupervision *supervision = &self->supervision;
  struct pollfd fds[] = {
    { .fd = supervision->signals, .events = POLLIN },
    { .fd = self->link, .events = POLLIN },
  };
  int number;

  if (!pv_supervision_poll (supervision, fds, 2, true))
    return;
  if (fds[1].revents != 0)
    handle_messages (self);
  while (pv_supervision_next_signal (supervision, &number))
    {
      if (number != 0)
        pv_supervision_signal (supervision, number);
    }
  pv_supervision_tick (supervision);
}

/* Until the last descendant has gone: it uses the runtime as well. */
static void
wait_for_end (PvInside *self)
{
  PvSupervision *supervision = &self->supervision;

  pv_supervision_reap (supervision);
  for (;;)
    {
      if (supervision->status >= 0 && !self->reported)
        self->reported = pv_message_send (self->link, PV_MESSAGE_EXITED, supervision->status);
      if (!supervision->has_children)
        return;
      wait_for_change (self);
    }
}

/* Returns: the signal that ends the launch before the program runs, or 0.  Any other waits until it
 * does. */
static int
look_for_end (const PvOrders *orders)
{
  PvMessage message;

  if (PV_RETRY (recv (orders->link, &message, sizeof message, MSG_DONTWAIT | MSG_PEEK))
          != (long) sizeof message
      || message.kind != PV_MESSAGE_SIGNAL || sigismember (&orders->mask, message.value) == 1
      || !pv_protocol_ends_start (message.value))
    return 0;
  return message.value;
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
  static PvInside self = { .supervision = { .status = -1 } };
  PvSupervision *supervision = &self.supervision;
  int status;

  self.link = orders->link;
  self.exit_with_parent = orders->exit_with_parent;
  supervision->wrapped = orders->wrapped;
  supervision->escalation.idle_ms = orders->terminate_idle_ms;
  supervision->escalation.terminate_ms = orders->terminate_ms;

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
  block_signals (supervision);
  if (!sort_out_fds (orders, supervision->signals))
    {
      pv_complain ("Cannot supervise inside the container: %s", strerror (errno));
      return fail (orders->link, PV_STATUS_LAUNCHER_FAILED);
    }
  status = look_for_end (orders);
  if (status != 0)
    return fail (orders->link, PV_STATUS_SIGNAL_BASE + status);
  supervision->program = pv_program_start (orders, &status);
  if (supervision->program < 0)
    return fail (orders->link, status);

  drop_kept_fds (orders);
  pv_message_send (self.link, PV_MESSAGE_STARTED, 0);
  wait_for_end (&self);
  return supervision->status;
}

/* Bubblewrap has started this by the number of an fd, which tells nobody what it is. */
static void
set_title (char *name)
{
  static const char title[] = "pv-supervise";
  size_t length = strlen (name);

  prctl (PR_SET_NAME, title);
  if (length < strlen (title))
    return;
  memset (name, ' ', length);
  memcpy (name, title, strlen (title));
}

/**
 * pv_inside:
 *
 * Options come in a memory file, as strings: `--link=FD`, `--error-output=FD`, `--lease=FD`,
 * `--keep=FD`, `--process-oriented`, `--mask=HEX` the signals that are blocked in the program,
 * `--terminal=FD` its standard input, output and error, `--wrapped`: it is a shell that waits for
 * another one, `--terminate-timeout=MS`, `--terminate-idle-timeout=MS`, `--exit-with-parent`,
 * `--setenv=NAME=VALUE`, `--unsetenv=NAME`, `--expect=DEV:INO:PATH`, `--folder=MODE:PATH`,
 * `--file=FD:PATH`, `--remove=PATH`, `--link-to=TARGET` and the path as a string of its own; after
 * `--`, there or on the command line, the program.
 *
 * Returns: the program's status, or 125, 126, 127
 */
int
pv_inside (int argc, char **argv)
{
  PvOrders orders;

  set_title (argv[0]);
  if (!pv_orders_read (&orders, argc, argv)
      || dup2 (orders.error_output, STDERR_FILENO) != STDERR_FILENO)
    {
      pv_complain ("Cannot supervise: invalid orders");
      return PV_STATUS_LAUNCHER_FAILED;
    }
  return run (&orders);
}
