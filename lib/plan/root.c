/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /usr and what leads to it, for the three layouts of a runtime.
 *
 * A complete root is mounted child by child onto bubblewrap's own root, so that mount points can be
 * made in it.  All of it is mounted once more at /.runtime: /.ref, /etc and whatever else lies in it
 * are links to there, which cost nothing.  Of a writable copy /etc is mounted as well: what is written
 * there belongs to the copy. */
#include "plan/root.h"

#include "base/dir.h"
#include "plan/shares.h"

#include <string.h>

#define WHOLE ".runtime"
#define WHY_USR "the runtime"
#define WHY_LINK "a root link of the runtime"

/* These are made by the container itself, or belong to the host. */
static const char *const made_elsewhere[] = {
  ".ref", ".runtime", "boot",  "dev", "etc", "home", "lost+found", "media",
  "mnt",  "proc",     "root", "run", "sys", "tmp",  "usr",        "var",
};

/* bin, sbin and all of lib*, but not libexec. */
static gboolean
is_root_folder (const char *name)
{
  return strcmp (name, "bin") == 0 || strcmp (name, "sbin") == 0
         || (g_str_has_prefix (name, "lib") && strcmp (name, "libexec") != 0);
}

static gboolean
is_made_elsewhere (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (made_elsewhere); i++)
    {
      if (strcmp (name, made_elsewhere[i]) == 0)
        return TRUE;
    }
  return FALSE;
}

static const PvEntry *
find_entry (const GPtrArray *entries, const char *name)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const PvEntry *entry = g_ptr_array_index (entries, i);

      if (strcmp (entry->name, name) == 0)
        return entry;
    }
  return NULL;
}

static char *
join (const char *sub, const char *name)
{
  return sub != NULL && name != NULL ? g_build_filename (sub, name, NULL)
                                     : g_strdup (name != NULL ? name : sub);
}

static PvMountKind
get_kind (const PvSysroot *sysroot)
{
  /* Our own overlay is read-only by itself, but for the lock file that is mounted in it. */
  return sysroot->writable || sysroot->overlay == PV_SYSROOT_OVERLAY ? PV_MOUNT_BIND
                                                                     : PV_MOUNT_BIND_READ_ONLY;
}

/* Some or all of the runtime, or of its copy. */
static void
bind (GPtrArray *mounts, const PvSysroot *sysroot, const char *name, const char *dest,
      const char *reason)
{
  g_autofree char *sub = join (sysroot->sub, name);

  pv_mounts_bind (mounts, get_kind (sysroot), sysroot->path, sysroot->fd, sub, dest, reason);
  if (sysroot->overlay == PV_SYSROOT_OVERLAY)
    pv_mounts_layer (mounts);
  if (sysroot->overlay == PV_SYSROOT_OVERLAY_BY_BWRAP)
    pv_mounts_overlay (mounts, sysroot->writable ? PV_MOUNT_OVERLAY : PV_MOUNT_OVERLAY_READ_ONLY,
                       sysroot->lower_path, sysroot->lower_fd, name);
}

/* A folder of a root in which the upper layer has nothing. */
static void
bind_folder (GPtrArray *mounts, const PvSysroot *sysroot, const char *name, const char *dest)
{
  if (sysroot->overlay == PV_SYSROOT_OVERLAY_BY_BWRAP)
    pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, sysroot->lower_path, sysroot->lower_fd, name,
                    dest, WHY_USR);
  else
    bind (mounts, sysroot, name, dest, WHY_USR);
}

/* The lock file that is locked outside: the one in a copy may be another, such as an overlay's. */
static void
bind_ref (GPtrArray *mounts, const PvSysroot *sysroot, const char *dest)
{
  if (sysroot->ref_fd >= 0 && sysroot->overlay != PV_SYSROOT_OVERLAY)
    pv_mounts_bind (mounts, PV_MOUNT_BIND, sysroot->ref_path, sysroot->ref_fd, NULL, dest,
                    "the copy's lock file");
}

static void
mount_merged_usr (GPtrArray *mounts, const PvSysroot *sysroot, const GPtrArray *top)
{
  bind (mounts, sysroot, NULL, "/usr", WHY_USR);
  bind_ref (mounts, sysroot, "/usr/.ref");
  for (guint i = 0; i < top->len; i++)
    {
      const PvEntry *entry = g_ptr_array_index (top, i);
      g_autofree char *target = g_strconcat ("usr/", entry->name, NULL);
      g_autofree char *dest = g_strconcat ("/", entry->name, NULL);

      if (is_root_folder (entry->name))
        pv_mounts_link (mounts, target, dest, WHY_LINK);
    }
  if (sysroot->ref_fd >= 0 || find_entry (top, ".ref") != NULL)
    pv_mounts_link (mounts, "usr/.ref", "/.ref", "the runtime's lock file");
}

static void
mount_root_folder (GPtrArray *mounts, const PvSysroot *sysroot, const PvEntry *entry)
{
  g_autofree char *dest = g_strconcat ("/", entry->name, NULL);

  if (entry->target != NULL)
    pv_mounts_link (mounts, entry->target, dest, WHY_LINK);
  else
    bind_folder (mounts, sysroot, entry->name, dest);
}

/* Something else at the top, such as /opt: a link will do, unless something is shared below it. */
static void
link_other (GPtrArray *mounts, const char *below, const char *dest, const GPtrArray *shares)
{
  g_autofree char *target = g_strconcat (WHOLE "/", below, NULL);

  if (!pv_shares_reach_into (shares, dest))
    pv_mounts_link (mounts, target, dest, "the runtime's own");
}

/**
 * pv_root_has_own_etc:
 *
 * Whoever makes a writable copy makes its `etc`, unless the runtime has something else there.
 *
 * Returns: whether `/etc` is the folder of a writable copy of a complete root
 */
gboolean
pv_root_has_own_etc (const PvPlanInput *input)
{
  const PvSysroot *sysroot = &input->sysroot;
  const PvEntry *etc = find_entry (input->contents->top, "etc");

  return input->runtime->layout == PV_LAYOUT_ROOT && sysroot->writable
         && sysroot->overlay != PV_SYSROOT_OVERLAY_BY_BWRAP && (etc == NULL || etc->is_dir);
}

static void
mount_complete_root (GPtrArray *mounts, const PvPlanInput *input, const GPtrArray *shares)
{
  const PvSysroot *sysroot = &input->sysroot;
  const GPtrArray *top = input->contents->top;

  bind (mounts, sysroot, NULL, "/" WHOLE, "what links from /etc and elsewhere lead to");
  bind (mounts, sysroot, "usr", "/usr", WHY_USR);
  bind_ref (mounts, sysroot, "/usr/.ref");
  if (sysroot->overlay == PV_SYSROOT_OVERLAY_BY_BWRAP)
    bind_ref (mounts, sysroot, "/" WHOLE "/usr/.ref");
  if (pv_root_has_own_etc (input))
    bind (mounts, sysroot, "etc", "/etc", "the copy's own");
  for (guint i = 0; i < top->len; i++)
    {
      const PvEntry *entry = g_ptr_array_index (top, i);
      g_autofree char *dest = g_strconcat ("/", entry->name, NULL);

      if (is_root_folder (entry->name))
        mount_root_folder (mounts, sysroot, entry);
      else if (!is_made_elsewhere (entry->name))
        link_other (mounts, entry->name, dest, shares);
    }
  if (sysroot->ref_fd >= 0)
    pv_mounts_link (mounts, "usr/.ref", "/.ref", "the copy's lock file");
  else if (find_entry (top, ".ref") != NULL)
    pv_mounts_link (mounts, WHOLE "/.ref", "/.ref", "the runtime's lock file");
}

/* The host's own root: its /usr, and its /etc as it is. */
static void
mount_host (GPtrArray *mounts, const PvSysroot *sysroot, const GPtrArray *top)
{
  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/usr", -1, NULL, "/usr", "the host's own");
  for (guint i = 0; i < top->len; i++)
    {
      const PvEntry *entry = g_ptr_array_index (top, i);

      if (is_root_folder (entry->name))
        mount_root_folder (mounts, sysroot, entry);
    }
  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/etc", -1, NULL, "/etc", "the host's own");
}

/**
 * pv_root_mount:
 * @mounts: (inout): gets `/usr`, and what leads to it from the root
 * @shares: what is shared: nothing else may be put in its way
 */
void
pv_root_mount (GPtrArray *mounts, const PvPlanInput *input, const GPtrArray *shares)
{
  const GPtrArray *top = input->contents->top;

  switch (input->runtime->layout)
    {
    case PV_LAYOUT_HOST:
      mount_host (mounts, &input->sysroot, top);
      break;
    case PV_LAYOUT_USR:
      mount_merged_usr (mounts, &input->sysroot, top);
      break;
    case PV_LAYOUT_ROOT:
    default:
      mount_complete_root (mounts, input, shares);
      break;
    }
}

/**
 * pv_root_get_whole:
 *
 * Returns: (transfer none): the folder in the container in which all of the runtime is
 */
const char *
pv_root_get_whole (const PvRuntime *runtime)
{
  switch (runtime->layout)
    {
    case PV_LAYOUT_HOST:
      return "";
    case PV_LAYOUT_USR:
      return "/usr";
    case PV_LAYOUT_ROOT:
    default:
      return "/" WHOLE;
    }
}
