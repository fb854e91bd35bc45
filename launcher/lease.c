/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a launch holds as long as its container lives, and what is said about it. */
#include "lease.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "copy/place.h"
#include "lock/filesystem.h"
#include "lock/holders.h"
#include "runtime/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

static void
release (gpointer lock)
{
  pv_lock_release (lock);
}

/**
 * pv_leases_new:
 *
 * Returns: (transfer full) (element-type PvLock): an empty list
 */
GPtrArray *
pv_leases_new (void)
{
  return g_ptr_array_new_with_free_func (release);
}

/**
 * pv_lease_find_holder:
 * @path: (type filename): a lock file
 *
 * Returns: the pid of a process that has it locked, be it with a lock that belongs to no process, as
 *  far as `/proc` says; or 0
 */
int
pv_lease_find_holder (const char *path)
{
  pv_autofd fd = open (path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  g_autoptr (PvPlace) place = fd < 0 ? NULL : pv_place_of (fd);
  g_autoptr (PvHolders) holders = NULL;
  const GArray *pids;
  struct stat st;

  if (place == NULL || fstat (fd, &st) < 0)
    return 0;
  holders = pv_holders_read ();
  pids = pv_holders_get (holders, place->device, st.st_ino);
  return pids != NULL && pids->len > 0 ? g_array_index (pids, pid_t, 0) : 0;
}

/* Whoever waits says so. */
static void
say_waiting (const char *path, PvLockMode mode, int holder, gpointer data)
{
  const PvWaiting *waiting = data;
  g_autofree char *command = NULL;
  g_autofree char *who = NULL;

  if (holder <= 0)
    holder = pv_lease_find_holder (path);
  if (holder > 0)
    {
      command = pv_process_get_command (holder);
      who = g_strdup_printf (", which process %d (%s) has locked", holder,
                             command != NULL ? command : "<command line unavailable>");
    }
  pv_report_waiting (waiting->report, path, holder);
  pv_warning ("Waiting up to %g s for the lock \"%s\"%s",
              waiting->options->lock_timeout_ms / 1000.0, path,
              who != NULL ? who : ", which another process has locked exclusively");
}

/**
 * pv_lease_wait:
 * @waiting: borrowed, as long as what is returned is used
 *
 * Returns: how long a launch waits for a lock, and whom it tells
 */
PvLockWait
pv_lease_wait (const PvWaiting *waiting)
{
  return (PvLockWait) {
    .timeout_ms = waiting->options->lock_timeout_ms,
    .on_wait = say_waiting,
    .data = (gpointer) waiting,
  };
}

/* A lock that does not reach everybody must not be trusted silently. */
static gboolean
check_filesystem (const PvOptions *options, const PvLock *lock, GError **error)
{
  g_autofree char *path = NULL;
  const char *name;
  PvFilesystemKind kind = pv_filesystem_get_kind (pv_lock_get_fd (lock), &name);

  if (kind == PV_FILESYSTEM_LOCAL)
    return TRUE;
  path = pv_lock_get_path (lock);
  if (kind == PV_FILESYSTEM_OVERLAY)
    {
      pv_warning ("The lock \"%s\" lies on an overlay: only users of the same mount see it", path);
      return TRUE;
    }

  if (options->lock_on_remote == PV_REMOTE_REFUSE)
    {
      pv_error_set (error, PV_ERROR_FAILED, "Cannot rely on the lock \"%s\": it lies on %s", path,
                    name);
      return pv_error_hint (error, "put the runtime on a local filesystem, or use "
                                   "--lock-on-remote=warn");
    }
  if (options->lock_on_remote == PV_REMOTE_WARN)
    pv_warning ("The lock \"%s\" lies on %s: other machines may not see it", path, name);
  return TRUE;
}

static gboolean
accept_without_lock (const PvOptions *options, const PvRuntime *runtime, const GError *why,
                     GError **error)
{
  if (why == NULL)
    return TRUE;
  if (options->lock_on_remote == PV_REMOTE_REFUSE
      && g_error_matches (why, PV_ERROR, PV_ERROR_UNSUPPORTED))
    return pv_error_set (error, PV_ERROR_UNSUPPORTED, "%s", why->message);
  pv_warning ("Runtime \"%s\" is not locked, and could be removed while it is used: %s",
              runtime->name, why->message);
  return TRUE;
}

/* Only for who wants to know before there is a lock to wait for. */
static gboolean
report_resolved (const PvReport *report, const PvRuntimeName *name, GError **error)
{
  g_autoptr (PvRuntime) runtime = NULL;

  if (report->fd < 0)
    return TRUE;
  runtime = pv_runtime_look_up (name, error);
  if (runtime == NULL)
    return FALSE;
  pv_report_resolved (report, runtime);
  return TRUE;
}

/**
 * pv_lease_runtime:
 * @options: what the user asked for
 * @report: whom to tell
 * @environment: (array zero-terminated=1): of the caller
 * @lock: %FALSE: only look, take no lock and write nothing
 * @leases: (inout) (element-type PvLock): gets the runtime's lock, if there is one
 *
 * Returns: (transfer full): the runtime, or %NULL with @error set
 */
PvRuntime *
pv_lease_runtime (const PvOptions *options, const PvReport *report, char **environment,
                  gboolean lock, GPtrArray *leases, GError **error)
{
  const PvWaiting waiting = { .options = options, .report = report };
  g_auto (GStrv) store_dirs = pv_store_get_dirs (environment);
  const PvLockWait wait = pv_lease_wait (&waiting);
  g_autoptr (PvRuntime) runtime = NULL;
  g_autoptr (PvLock) held = NULL;
  g_autoptr (GError) why_not = NULL;
  struct utsname machine;
  PvRuntimeName name = {
    .name = options->runtime,
    .base = options->runtime_base,
    .store_dirs = store_dirs,
    .machine = machine.machine,
  };

  uname (&machine);
  if (!lock)
    return pv_runtime_look_up (&name, error);

  if (!report_resolved (report, &name, error))
    return NULL;
  runtime = pv_runtime_acquire (&name, &wait, &held, &why_not, error);
  if (runtime == NULL || !accept_without_lock (options, runtime, why_not, error))
    return NULL;
  if (held != NULL)
    {
      if (!check_filesystem (options, held, error))
        return NULL;
      g_ptr_array_add (leases, g_steal_pointer (&held));
    }
  pv_report_locked (report, leases);
  return g_steal_pointer (&runtime);
}
