/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/fd-set.h"

#include "base/error.h"
#include "base/fd.h"
#include "launch/bwrap-args.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
clear_owned_fd (gpointer data)
{
  pv_fd_clear (data);
}

static void
release_lock (gpointer data)
{
  pv_lock_release (data);
}

/**
 * pv_fd_set_free:
 * @set: (nullable) (transfer full): closes what it owns
 */
void
pv_fd_set_free (PvFdSet *set)
{
  if (set == NULL)
    return;
  g_array_unref (set->inherited);
  g_array_unref (set->files);
  pv_fd_clear (&set->supervise);
  pv_fd_clear (&set->link_inside);
  pv_fd_clear (&set->link_outside);
  pv_fd_clear (&set->error_output);
  pv_fd_clear (&set->errors);
  pv_fd_clear (&set->parent);
  g_ptr_array_unref (set->inside_leases);
  g_ptr_array_unref (set->program_leases);
  g_free (set);
}

static void
inherit (PvFdSet *self, int fd)
{
  g_array_append_val (self->inherited, fd);
}

static int
add_file (PvFdSet *self, const char *name, gconstpointer data, gsize length, GError **error)
{
  int fd = pv_fd_memfd (name, data, length, error);

  if (fd >= 0)
    {
      g_array_append_val (self->files, fd);
      inherit (self, fd);
    }
  return fd;
}

/**
 * pv_fd_set_add_strings:
 * @strings: (element-type utf8): each is written with its NUL
 *
 * Returns: a sealed memory file, which @set owns and bubblewrap inherits, or -1 with @error set
 */
int
pv_fd_set_add_strings (PvFdSet *set, const char *name, const GPtrArray *strings, GError **error)
{
  g_autoptr (GString) text = g_string_sized_new (16 * 1024);

  for (guint i = 0; i < strings->len; i++)
    {
      const char *string = g_ptr_array_index (strings, i);

      g_string_append_len (text, string, (gssize) strlen (string) + 1);
    }
  return add_file (set, name, text->str, text->len, error);
}

static gboolean
open_files (PvFdSet *self, const PvPlan *plan, GError **error)
{
  g_autoptr (GPtrArray) files = pv_bwrap_list_files (plan);

  for (guint i = 0; i < files->len; i++)
    {
      const PvMount *file = g_ptr_array_index (files, i);
      gsize length;
      gconstpointer data = g_bytes_get_data (file->data, &length);

      if (add_file (self, file->dest, data, length, error) < 0)
        return FALSE;
    }
  return TRUE;
}

static void
inherit_sources (PvFdSet *self, const PvPlan *plan)
{
  for (guint i = 0; i < plan->mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (plan->mounts, i);

      if (mount->fd >= 0)
        inherit (self, mount->fd);
      if (mount->lower_fd >= 0)
        inherit (self, mount->lower_fd);
    }
}

/* Two more holders for each lease, with open file descriptions of their own. */
static gboolean
share_leases (PvFdSet *self, const GPtrArray *leases, GError **error)
{
  GPtrArray *holders[] = { self->inside_leases, self->program_leases };

  for (guint i = 0; i < leases->len * G_N_ELEMENTS (holders); i++)
    {
      PvLock *lock = pv_lock_share (g_ptr_array_index (leases, i / G_N_ELEMENTS (holders)), error);

      if (lock == NULL)
        return FALSE;
      g_ptr_array_add (holders[i % G_N_ELEMENTS (holders)], lock);
      inherit (self, pv_lock_get_fd (lock));
    }
  return TRUE;
}

static gboolean
open_channels (PvFdSet *self, GError **error)
{
  int link[2];
  int yes = 1;

  /* Each message says who sent it, by the pid that is the sender's here. */
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0
      || setsockopt (link[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
    return pv_error_set_errno (error, errno, "Cannot create a socket pair");
  self->link_inside = link[0];
  self->link_outside = link[1];

  self->error_output = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  self->errors = memfd_create ("bwrap-errors", MFD_CLOEXEC);
  if (self->error_output < 0 || self->errors < 0)
    return pv_error_set_errno (error, errno, "Cannot redirect standard error");

  inherit (self, self->link_inside);
  inherit (self, self->error_output);
  return TRUE;
}

static gboolean
open_supervise (PvFdSet *self, const char *path, GError **error)
{
  self->supervise = open (path, O_RDONLY | O_CLOEXEC);
  if (self->supervise < 0)
    {
      pv_error_set_errno (error, errno, "Cannot open \"%s\"", path);
      return pv_error_hint (error,
                            "pv-launch is not installed completely; where its helpers are can "
                            "be said with PV_LAUNCH_LIBEXECDIR");
    }
  inherit (self, self->supervise);
  return TRUE;
}

/* PR_SET_PDEATHSIG speaks of the thread that has started this process, which may end earlier; but it
 * is all there is where the parent has no pid here, or the kernel no pidfds. */
static gboolean
open_parent (PvFdSet *self, GError **error)
{
  self->parent = (int) syscall (SYS_pidfd_open, getppid (), 0);
  return self->parent >= 0 || prctl (PR_SET_PDEATHSIG, SIGTERM) == 0
         || pv_error_set_errno (error, errno, "Cannot watch the parent process");
}

/**
 * pv_fd_set_new:
 * @input: the launch
 *
 * Returns: (transfer full): all fds of the launch, each close-on-exec, or %NULL with @error set
 */
PvFdSet *
pv_fd_set_new (const PvLaunchInput *input, GError **error)
{
  g_autoptr (PvFdSet) self = g_new0 (PvFdSet, 1);

  self->supervise = self->link_inside = self->link_outside = -1;
  self->error_output = self->errors = self->parent = -1;
  self->inherited = g_array_new (FALSE, FALSE, sizeof (int));
  self->files = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_set_clear_func (self->files, clear_owned_fd);
  self->inside_leases = g_ptr_array_new_with_free_func (release_lock);
  self->program_leases = g_ptr_array_new_with_free_func (release_lock);

  g_array_append_vals (self->inherited, input->pass_fds->data, input->pass_fds->len);
  if (input->terminal >= 0)
    inherit (self, input->terminal);
  inherit_sources (self, input->plan);
  if (!open_supervise (self, input->supervise, error) || !open_channels (self, error)
      || (input->exit_with_parent && !open_parent (self, error))
      || !open_files (self, input->plan, error) || !share_leases (self, input->leases, error))
    return NULL;
  return g_steal_pointer (&self);
}
