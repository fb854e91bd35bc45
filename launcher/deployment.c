/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A runtime that is shipped as a manifest, from which one launch of many deploys it. */
#include "deployment.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "deploy/answer.h"
#include "deploy/run.h"
#include "lease.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Somebody who deletes what was deployed this often before it can be locked means to. */
#define MAX_ATTEMPTS 64

/**
 * State: of one acquisition.
 * @verified: the base that was verified, if that is wanted: its device and inode; 0: none
 * @began: when the first wait for somebody else began; 0: there was none
 */
typedef struct
{
  const PvDeployment *deployment;
  PvLockWait wait;
  guint64 verified_device;
  guint64 verified_inode;
  gint64 began;
} State;

static gboolean
run (State *self, const char *option, int fd, GError **error)
{
  const PvDeployment *deployment = self->deployment;
  const PvDeployRun task = {
    .environment = deployment->environment,
    .manifest = deployment->manifest,
    .files_fd = deployment->runtime->fd,
    .option = option,
    .fd = fd,
    .verify = deployment->options->verify,
  };
  PvAnswer answer = { 0 };

  if (!pv_deploy_run (&task, &answer, error))
    return FALSE;
  if (deployment->options->verify)
    {
      self->verified_device = answer.device;
      self->verified_inode = answer.inode;
    }
  return TRUE;
}

static gboolean
is_verified (const State *self, const PvBase *base)
{
  struct stat st;

  return !self->deployment->options->verify
         || (fstat (base->runtime->fd, &st) == 0 && st.st_dev == self->verified_device
             && st.st_ino == self->verified_inode);
}

static gboolean
deploy (State *self, int parent_fd, GError **error)
{
  gint64 began = g_get_monotonic_time ();

  if (!run (self, "parent", parent_fd, error))
    return FALSE;
  pv_report_deployed (self->deployment->report, self->deployment->manifest->path,
                      (double) (g_get_monotonic_time () - began) / G_USEC_PER_SEC);
  return TRUE;
}

/* Takes @why. */
static gboolean
set_busy (const State *self, const char *path, GError *why, GError **error)
{
  int holder = pv_lease_find_holder (path);
  g_autofree char *command = holder > 0 ? pv_process_get_command (holder) : NULL;

  if (holder <= 0)
    {
      g_propagate_error (error, why);
    }
  else
    {
      pv_error_set (error, PV_ERROR_BUSY,
                    "Cannot use runtime \"%s\": process %d (%s) is still deploying it into \"%s\"",
                    self->deployment->runtime->name, holder, command != NULL ? command : "gone",
                    self->deployment->options->mutable_parent);
      g_error_free (why);
    }
  return pv_error_hint (error, "wait for its end, or longer, with --lock-timeout");
}

/* As for every lock, it counts how long it is waited, and not whether the other one gets on. */
static gboolean
await (State *self, GError **error)
{
  const PvDeployment *deployment = self->deployment;
  const char *parent = deployment->options->mutable_parent;
  g_autofree char *path =
      g_strconcat (parent, "/.new-", deployment->manifest->digest, "/usr/.ref", NULL);
  PvLockWait wait = self->wait;
  GError *local_error = NULL;

  if (self->began == 0)
    self->began = g_get_monotonic_time ();
  else
    wait.on_wait = NULL;
  wait.timeout_ms -= (int) ((g_get_monotonic_time () - self->began) / 1000);
  wait.timeout_ms = MAX (wait.timeout_ms, PV_LOCK_NEVER_WAIT);
  if (pv_base_await (parent, deployment->manifest, &wait, &local_error))
    return TRUE;
  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_BUSY))
    return set_busy (self, path, local_error, error);
  g_propagate_error (error, local_error);
  return FALSE;
}

/* The lock of the parent is let go before anything is waited for, or takes its time.
 * @ret_base: (out) (nullable): %NULL: look again */
static gboolean
try (State *self, const char *registry, PvCopyParent **ret_parent, PvBase **ret_base,
     GError **error)
{
  const PvDeployment *deployment = self->deployment;
  g_autoptr (GError) local_error = NULL;
  g_autoptr (PvCopyParent) parent =
      pv_copy_parent_acquire (deployment->options->mutable_parent, registry, &self->wait, error);
  g_autoptr (PvBase) base = NULL;
  pv_autofd parent_fd = -1;

  if (parent == NULL)
    return FALSE;
  base = pv_base_acquire (parent, deployment->manifest, deployment->runtime->name, &local_error);
  if (base != NULL && is_verified (self, base))
    {
      *ret_parent = g_steal_pointer (&parent);
      *ret_base = g_steal_pointer (&base);
      return TRUE;
    }
  parent_fd = fcntl (parent->fd, F_DUPFD_CLOEXEC, 3);
  g_clear_pointer (&parent, pv_copy_parent_release);
  if (base != NULL)
    return run (self, "base", base->runtime->fd, error);

  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_NOT_FOUND))
    {
      g_clear_error (&local_error);
      if (deploy (self, parent_fd, &local_error))
        return TRUE;
    }
  if (g_error_matches (local_error, PV_ERROR, PV_ERROR_BUSY))
    return await (self, error);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/**
 * pv_deployment_acquire:
 * @registry: (type filename): as for pv_copy_parent_acquire()
 * @ret_parent: (out) (transfer full): the folder of copies, locked
 *
 * Deploys the runtime, if nobody has; waits if somebody does; and locks what was deployed.
 *
 * Returns: (transfer full): that, or %NULL with @error set
 */
PvBase *
pv_deployment_acquire (const PvDeployment *deployment, const char *registry,
                       PvCopyParent **ret_parent, GError **error)
{
  const PvWaiting waiting = { .options = deployment->options, .report = deployment->report };
  State self = { .deployment = deployment, .wait = pv_lease_wait (&waiting) };
  PvBase *base = NULL;

  for (int i = 0; i < MAX_ATTEMPTS; i++)
    {
      if (!try (&self, registry, ret_parent, &base, error))
        return NULL;
      if (base != NULL)
        return base;
    }
  pv_error_set (error, PV_ERROR_FAILED,
                "Cannot use the deployed runtime in \"%s\": it is gone whenever it is looked for",
                deployment->options->mutable_parent);
  return NULL;
}

/**
 * pv_deployment_is_needed:
 * @ret_needed: (out): whether the runtime cannot be used as it is
 */
gboolean
pv_deployment_is_needed (const PvDeployment *deployment, gboolean *ret_needed, GError **error)
{
  const PvDeployRun task = {
    .environment = deployment->environment,
    .manifest = deployment->manifest,
    .files_fd = deployment->runtime->fd,
    .fd = -1,
  };
  PvAnswer answer = { 0 };

  if (!pv_deploy_run (&task, &answer, error))
    return FALSE;
  *ret_needed = answer.needed;
  return TRUE;
}
