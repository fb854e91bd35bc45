/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc, made of links in bubblewrap's own tmpfs: the runtime's entries, and in their place the few
 * files that belong to the machine or the user.  In a writable copy of a complete root, they are put
 * into its own folder. */
#include "plan/etc.h"

#include "base/dir.h"
#include "plan/reserved.h"
#include "plan/root.h"
#include "plan/shares.h"

#include <string.h>

#define HOST_ETC "/run/host/etc"

/* Of these the runtime's own is never used: the first are the host's, the last three made here. */
static const char *const not_of_runtime[] = {
  "host.conf", "hosts", "localtime", "machine-id", "resolv.conf", "timezone",
  "group",     "mtab",  "passwd",
};

static gboolean
is_of_runtime (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (not_of_runtime); i++)
    {
      if (strcmp (name, not_of_runtime[i]) == 0)
        return FALSE;
    }
  return TRUE;
}

/* A relative target of a link must be read from /etc, not from where the link lies. */
static void
link_runtime_entries (GPtrArray *mounts, const PvPlanInput *input)
{
  const char *whole = pv_root_get_whole (input->runtime);

  for (guint i = 0; i < input->contents->etc->len; i++)
    {
      const PvEntry *entry = g_ptr_array_index (input->contents->etc, i);
      g_autofree char *dest = g_strconcat ("/etc/", entry->name, NULL);
      g_autofree char *target = entry->target != NULL
                                  ? g_strdup (entry->target)
                                  : g_strconcat (whole, "/etc/", entry->name, NULL);

      if (is_of_runtime (entry->name))
        pv_mounts_link (mounts, target, dest, "the runtime's");
    }
}

/* A folder that the container makes itself cannot be the host's: then the contents must do. */
static gboolean
has_folder (const PvHostFile *file)
{
  return file->folder != NULL && pv_reserved_find (file->folder->real) == NULL;
}

static void
mount_folder_of (GPtrArray *mounts, const PvHostFile *file, const GPtrArray *shares)
{
  if (!has_folder (file) || pv_shares_cover (shares, file->folder->real))
    return;
  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, file->folder->real, file->folder->fd, NULL,
                  file->folder->real, "resolv.conf lies there, and may change");
}

static void
link_localtime (GPtrArray *mounts, const PvHost *host)
{
  g_autofree char *target = g_strconcat ("/usr/share/zoneinfo/", host->zone, NULL);

  pv_mounts_link (mounts, target, "/etc/localtime", "the host's time zone, from the runtime's data");
}

static void
add_host_file (GPtrArray *mounts, const PvHostFile *file, const GPtrArray *shares)
{
  g_autofree char *dest = g_strconcat ("/etc/", file->name, NULL);
  g_autofree char *in_host_etc = g_strconcat (HOST_ETC "/", file->name, NULL);

  if (has_folder (file))
    {
      mount_folder_of (mounts, file, shares);
      pv_mounts_link (mounts, file->real, dest, "the host's");
    }
  else if (file->data != NULL)
    {
      pv_mounts_file (mounts, file->data, dest, dest, "the host's, as it is now");
    }
  else if (file->real != NULL)
    {
      g_autofree char *real = g_strconcat (HOST_ETC, file->real + strlen ("/etc"), NULL);

      pv_mounts_link (mounts, real, dest, "the host's");
    }
  else
    {
      pv_mounts_link (mounts, in_host_etc, dest, "the host's");
    }
}

static void
add_text (GPtrArray *mounts, char *text, const char *dest, const char *reason)
{
  g_autoptr (GBytes) data = g_bytes_new_take (text, strlen (text));

  pv_mounts_file (mounts, data, NULL, dest, reason);
}

static void
add_identity (GPtrArray *mounts, const PvPlanInput *input)
{
  const PvIdentity *identity = input->host->identity;

  add_text (mounts,
            pv_identity_format_passwd (identity, input->host->home_name, input->contents->shell),
            "/etc/passwd", "the user, and the host's others");
  add_text (mounts, pv_identity_format_group (identity), "/etc/group",
            "the user's group, and the host's others");
}

/**
 * pv_etc_mount:
 * @mounts: (inout): gets the container's `/etc`
 * @shares: what is shared
 *
 * With the host's own `/usr`, `/etc` is the host's own as well; what lies outside it is added.
 */
void
pv_etc_mount (GPtrArray *mounts, const PvPlanInput *input, const GPtrArray *shares)
{
  const PvHost *host = input->host;
  guint first = mounts->len;

  if (input->runtime->layout == PV_LAYOUT_HOST)
    {
      for (guint i = 0; i < host->files->len; i++)
        mount_folder_of (mounts, g_ptr_array_index (host->files, i), shares);
      return;
    }

  pv_mounts_bind (mounts, PV_MOUNT_BIND_READ_ONLY, "/etc", -1, NULL, HOST_ETC,
                  "what links from /etc lead to");
  if (!pv_root_has_own_etc (input))
    link_runtime_entries (mounts, input);
  for (guint i = 0; i < host->files->len; i++)
    {
      const PvHostFile *file = g_ptr_array_index (host->files, i);

      if (strcmp (file->name, "localtime") == 0 && input->contents->has_zone)
        link_localtime (mounts, host);
      else
        add_host_file (mounts, file, shares);
    }
  pv_mounts_link (mounts, "/proc/self/mounts", "/etc/mtab", "the kernel knows");
  add_identity (mounts, input);
  if (pv_root_has_own_etc (input))
    pv_mounts_replace (mounts, first);
}
