/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/bwrap-args.h"

/**
 * pv_bwrap_list_files:
 * @plan: a plan
 *
 * Returns: (transfer container) (element-type PvMount): those that need a file's contents, in the
 *  order in which pv_bwrap_args() wants their fds
 */
GPtrArray *
pv_bwrap_list_files (const PvPlan *plan)
{
  GPtrArray *files = g_ptr_array_new ();

  for (guint i = 0; i < plan->mounts->len; i++)
    {
      PvMount *mount = g_ptr_array_index (plan->mounts, i);

      if (mount->kind == PV_MOUNT_FILE)
        g_ptr_array_add (files, mount);
    }
  return files;
}

static void
add (GPtrArray *args, const char *word)
{
  g_ptr_array_add (args, g_strdup (word));
}

/* Returns: @sub below @fd, or where there is none, @path */
static char *
name_source (const char *path, int fd, const char *sub)
{
  if (fd < 0)
    return g_strdup (path);
  if (sub == NULL)
    return g_strdup_printf ("/proc/self/fd/%d", fd);
  return g_strdup_printf ("/proc/self/fd/%d/%s", fd, sub);
}

static char *
get_source (const PvMount *mount, PvBwrapSources sources)
{
  return name_source (mount->source, sources == PV_BWRAP_BY_PATH ? -1 : mount->fd, mount->sub);
}

/* The first is at the bottom.  Only the whole of a copy is writable: its work folder is beside its
 * upper layer. */
static void
add_overlay (GPtrArray *args, const PvMount *mount)
{
  add (args, "--overlay-src");
  g_ptr_array_add (args, name_source (mount->lower_source, mount->lower_fd, mount->lower_sub));
  add (args, mount->kind == PV_MOUNT_OVERLAY ? "--overlay" : "--overlay-src");
  g_ptr_array_add (args, get_source (mount, PV_BWRAP_BY_FD));
  if (mount->kind == PV_MOUNT_OVERLAY)
    g_ptr_array_add (args, name_source (NULL, mount->fd, "work"));
  else
    add (args, "--ro-overlay");
  add (args, mount->dest);
}

static void
add_mount (GPtrArray *args, const PvMount *mount, PvBwrapSources sources, int file_fd)
{
  PvMountKind kind = mount->kind;

  if (pv_mount_is_overlay (mount))
    {
      add_overlay (args, mount);
      return;
    }
  /* The host's file that has the contents: a shell has few numbers for here-documents. */
  if (kind == PV_MOUNT_FILE && file_fd < 0)
    kind = PV_MOUNT_BIND_READ_ONLY;
  if (mount->mode != 0 && kind == mount->kind && kind != PV_MOUNT_LINK)
    {
      add (args, "--perms");
      g_ptr_array_add (args, g_strdup_printf ("%04o", mount->mode));
    }

  g_ptr_array_add (args, g_strconcat ("--", pv_mount_kind_to_option (kind), NULL));
  if (kind == PV_MOUNT_FILE)
    g_ptr_array_add (args, g_strdup_printf ("%d", file_fd));
  else if (kind == PV_MOUNT_LINK)
    add (args, mount->source);
  else if (kind != mount->kind || pv_mount_is_bind (mount))
    g_ptr_array_add (args, get_source (mount, sources));
  add (args, mount->dest);
}

static void
add_edits (GPtrArray *args, const GPtrArray *edits)
{
  for (guint i = 0; i < edits->len; i++)
    {
      const PvEnvironmentEdit *edit = g_ptr_array_index (edits, i);

      add (args, edit->value != NULL ? "--setenv" : "--unsetenv");
      add (args, edit->name);
      if (edit->value != NULL)
        add (args, edit->value);
    }
}

static void
add_namespaces (GPtrArray *args, const PvPlan *plan)
{
  /* As uid 0 bubblewrap would leave the program every capability. */
  add (args, "--cap-drop");
  add (args, "ALL");
  if (!plan->share_pid)
    {
      add (args, "--unshare-pid");
      add (args, "--as-pid-1");
    }
  if (!plan->share_net)
    add (args, "--unshare-net");
}

/**
 * pv_bwrap_args:
 * @plan: a plan
 * @sources: how the sources of binds are named
 * @file_fds: (nullable): for %PV_BWRAP_BY_PATH: an fd for each of pv_bwrap_list_files(), or -1: the
 *  host's file that has the contents is mounted
 *
 * Returns: (transfer full) (element-type utf8): bubblewrap's options, without the program
 */
GPtrArray *
pv_bwrap_args (const PvPlan *plan, PvBwrapSources sources, const int *file_fds)
{
  GPtrArray *args = g_ptr_array_new_full (512, g_free);
  gsize n_files = 0;

  add_namespaces (args, plan);
  for (guint i = 0; i < plan->mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (plan->mounts, i);
      int file_fd = -1;

      if (sources == PV_BWRAP_BY_FD && !pv_mount_is_real (mount))
        continue;
      if (mount->kind == PV_MOUNT_FILE)
        file_fd = file_fds[n_files++];
      add_mount (args, mount, sources, file_fd);
    }
  if (sources == PV_BWRAP_BY_PATH)
    add_edits (args, plan->edits);
  add (args, "--chdir");
  add (args, plan->cwd);
  return args;
}
