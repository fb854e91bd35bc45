/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include "plan/etc.h"
#include "plan/reserved.h"
#include "plan/root.h"
#include "plan/shares.h"

#include <string.h>

static void
mount_kernel (GPtrArray *mounts)
{
  pv_mounts_bind (mounts, PV_MOUNT_BIND_DEVICES, "/dev", -1, NULL, "/dev", "devices");
  pv_mounts_make (mounts, PV_MOUNT_PROC, "/proc", 0, "processes");
  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/sys", -1, NULL, "/sys", "hardware");
}

/* /var is the container's own, and writable; the runtime's data in it are links. */
static void
make_var (GPtrArray *mounts, const PvPlanInput *input, const GPtrArray *shares)
{
  const char *whole = pv_root_get_whole (input->runtime);

  if (!pv_shares_reach_into (shares, "/var/tmp"))
    pv_mounts_make (mounts, PV_MOUNT_FOLDER, "/var/tmp", 01777, "large temporary files");
  pv_mounts_link (mounts, "../run", "/var/run", "its old name");
  pv_mounts_link (mounts, "/etc/machine-id", "/var/lib/dbus/machine-id", "its old name");

  for (guint i = 0; input->runtime->layout != PV_LAYOUT_HOST && i < input->contents->var->len; i++)
    {
      const char *path = g_ptr_array_index (input->contents->var, i);
      g_autofree char *target = g_strconcat (whole, "/", path, NULL);
      g_autofree char *dest = g_strconcat ("/", path, NULL);

      if (strcmp (dest, "/var/lib/dbus") != 0 && !pv_shares_reach_into (shares, dest))
        pv_mounts_link (mounts, target, dest, "the runtime's");
    }
}

static void
make_manager_file (GPtrArray *mounts)
{
  static const char text[] = "pv-launch\n";
  g_autoptr (GBytes) data = g_bytes_new_static (text, strlen (text));

  pv_mounts_file (mounts, data, NULL, "/run/host/container-manager",
                  "programs ask for it (systemd's convention)");
}

/* $XDG_RUNTIME_DIR: the host's, or where systemd would have it, empty. */
static char *
plan_runtime_dir (GPtrArray *mounts, const PvHost *host, const GPtrArray *shares)
{
  char *path;

  if (host->runtime_dir != NULL && pv_shares_cover (shares, host->runtime_dir->real))
    return g_strdup (host->runtime_dir->asked);

  path = g_strdup_printf ("/run/user/%u", host->identity->uid);
  if (!pv_shares_cover (shares, path))
    pv_mounts_make (mounts, PV_MOUNT_FOLDER, path, 0700, "XDG_RUNTIME_DIR");
  return path;
}

static char *
plan_cwd (const PvHost *host, const GPtrArray *shares, GPtrArray *notices)
{
  if (host->cwd == NULL)
    {
      g_ptr_array_add (notices, g_strdup ("The current folder was deleted, starting in \"/\""));
      return g_strdup ("/");
    }
  if (pv_shares_cover (shares, host->cwd->real))
    return g_strdup (host->cwd->real);
  if (strcmp (host->cwd->real, "/") != 0)
    g_ptr_array_add (notices, g_strdup_printf ("The current folder \"%s\" is not in the container, "
                                               "starting in \"/\"", host->cwd->real));
  return g_strdup ("/");
}

/**
 * pv_plan_new:
 * @input: what to make it from
 *
 * Nothing is looked at but @input: the same input gives the same plan.
 *
 * Returns: (transfer full): the plan, or %NULL with @error set (%PV_ERROR_USAGE: a reserved path)
 */
PvPlan *
pv_plan_new (const PvPlanInput *input, GError **error)
{
  g_autoptr (PvPlan) self = g_new0 (PvPlan, 1);
  g_autoptr (GPtrArray) mounts = pv_mounts_new ();
  g_autoptr (GPtrArray) shares = NULL;
  g_autofree char *runtime_dir = NULL;

  self->notices = g_ptr_array_new_with_free_func (g_free);
  self->share_pid = input->share_pid;
  self->share_net = input->share_net;
  shares = pv_shares_plan (input, self->notices, error);
  if (shares == NULL)
    return NULL;

  pv_root_mount (mounts, input, shares);
  pv_etc_mount (mounts, input, shares);
  mount_kernel (mounts);
  make_manager_file (mounts);
  make_var (mounts, input, shares);
  pv_shares_mount (mounts, shares);
  runtime_dir = plan_runtime_dir (mounts, input->host, shares);
  self->mounts = pv_mounts_add_parents (mounts);

  self->edits = pv_environment_plan (input->host->environment,
                                     input->runtime->layout == PV_LAYOUT_HOST, runtime_dir,
                                     input->edits);
  self->cwd = plan_cwd (input->host, shares, self->notices);
  return g_steal_pointer (&self);
}

void
pv_plan_free (PvPlan *plan)
{
  if (plan == NULL)
    return;
  g_clear_pointer (&plan->mounts, g_ptr_array_unref);
  g_clear_pointer (&plan->edits, g_ptr_array_unref);
  g_clear_pointer (&plan->notices, g_ptr_array_unref);
  g_free (plan->cwd);
  g_free (plan);
}

/**
 * pv_plan_count_mounts:
 *
 * Returns: how many mounts the plan costs
 */
guint
pv_plan_count_mounts (const PvPlan *plan)
{
  guint count = 0;

  for (guint i = 0; i < plan->mounts->len; i++)
    count += pv_mount_is_real (g_ptr_array_index (plan->mounts, i)) ? 1 : 0;
  return count;
}
