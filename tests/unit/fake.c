/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"

#include "base/dir.h"

#include <string.h>

static void
entry_free (gpointer data)
{
  PvEntry *entry = data;

  g_free (entry->name);
  g_free (entry->target);
  g_free (entry);
}

static void
link_free (gpointer data)
{
  PvHostLink *link = data;

  g_free (link->path);
  g_free (link->target);
  g_free (link);
}

static void
file_free (gpointer data)
{
  PvHostFile *file = data;

  g_free (file->name);
  g_clear_pointer (&file->folder, pv_host_path_free);
  g_free (file->real);
  g_clear_pointer (&file->data, g_bytes_unref);
  g_free (file);
}

static void
share_free (gpointer data)
{
  PvShareRequest *share = data;

  pv_host_path_free (share->path);
  g_free (share);
}

/**
 * pv_fake_entry:
 * @text: `name`, `name/` or `name>target`
 */
void
pv_fake_entry (GPtrArray *entries, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, ">", 2);
  PvEntry *entry = g_new0 (PvEntry, 1);

  entry->is_dir = g_str_has_suffix (parts[0], "/");
  entry->name = g_strndup (parts[0], strlen (parts[0]) - (entry->is_dir ? 1 : 0));
  entry->target = g_strdup (parts[1]);
  g_ptr_array_add (entries, entry);
}

/**
 * pv_fake_path:
 * @real: (nullable): %NULL: as @asked
 * @fd: a number; it is never used
 * @links: (nullable) (array zero-terminated=1): `path>target`
 */
PvHostPath *
pv_fake_path (const char *asked, const char *real, int fd, const char *const *links)
{
  PvHostPath *path = g_new0 (PvHostPath, 1);

  path->asked = g_strdup (asked);
  path->real = g_strdup (real != NULL ? real : asked);
  path->fd = fd;
  path->links = g_ptr_array_new_with_free_func (link_free);
  for (gsize i = 0; links != NULL && links[i] != NULL; i++)
    {
      g_auto (GStrv) parts = g_strsplit (links[i], ">", 2);
      PvHostLink *link = g_new0 (PvHostLink, 1);

      link->path = g_strdup (parts[0]);
      link->target = g_strdup (parts[1]);
      g_ptr_array_add (path->links, link);
    }
  return path;
}

void
pv_fake_share (PvFake *fake, const char *asked, const char *real, gboolean read_only)
{
  PvShareRequest *share = g_new0 (PvShareRequest, 1);

  share->path = pv_fake_path (asked, real, -1, NULL);
  share->read_only = read_only;
  g_ptr_array_add (fake->input.shares, share);
}

/**
 * pv_fake_file:
 * @data: (nullable): contents, for a file that is a link out of `/etc`
 */
void
pv_fake_file (PvFake *fake, const char *name, const char *data)
{
  PvHostFile *file = g_new0 (PvHostFile, 1);

  file->name = g_strdup (name);
  file->data = data != NULL ? g_bytes_new (data, strlen (data)) : NULL;
  g_ptr_array_add (fake->host.files, file);
}

static void
init_host (PvFake *fake)
{
  PvHost *host = &fake->host;

  fake->identity.uid = 1000;
  fake->identity.gid = 1001;
  fake->identity.user = g_strdup ("ada");
  fake->identity.group = g_strdup ("adas");
  fake->identity.gecos = g_strdup ("");
  fake->identity.home = g_strdup ("/home/ada");
  fake->identity.host_passwd = g_strdup ("root:x:0:0::/root:/bin/sh\n");
  fake->identity.host_group = g_strdup ("root:x:0:\n");
  host->identity = &fake->identity;
  host->environment = g_new0 (char *, 1);
  host->home = pv_fake_path ("/home/ada", NULL, 31, NULL);
  host->home_name = g_strdup ("/home/ada");
  host->cwd = pv_fake_path ("/home/ada/game", NULL, 32, NULL);
  host->tmp = pv_fake_path ("/tmp", NULL, 33, NULL);
  host->files = g_ptr_array_new_with_free_func (file_free);
}

/**
 * pv_fake_init:
 *
 * A host with a home folder, `/tmp` and nothing else, and a runtime with nothing in it.
 */
void
pv_fake_init (PvFake *fake, PvLayout layout)
{
  memset (fake, 0, sizeof *fake);
  init_host (fake);
  fake->runtime.name = g_strdup ("scout");
  fake->runtime.path = g_strdup (layout == PV_LAYOUT_HOST ? "/" : "/srv/scout");
  fake->runtime.fd = 30;
  fake->runtime.layout = layout;
  fake->contents.top = g_ptr_array_new_with_free_func (entry_free);
  fake->contents.etc = g_ptr_array_new_with_free_func (entry_free);
  fake->contents.var = g_ptr_array_new_with_free_func (g_free);
  fake->contents.shell = "/bin/sh";
  fake->input = (PvPlanInput) {
    .runtime = &fake->runtime,
    .contents = &fake->contents,
    .sysroot = { .path = fake->runtime.path, .fd = fake->runtime.fd, .ref_fd = -1 },
    .host = &fake->host,
    .shares = g_ptr_array_new_with_free_func (share_free),
    .home_kind = PV_HOME_SHARED,
    .share_pid = TRUE,
    .share_net = TRUE,
    .edits = pv_environment_edits_new (),
  };
}

/* The numbers of its fds are not open. */
static void
path_clear (PvHostPath **path)
{
  if (*path != NULL)
    (*path)->fd = -1;
  g_clear_pointer (path, pv_host_path_free);
}

void
pv_fake_clear (PvFake *fake)
{
  PvHost *host = &fake->host;

  g_free (fake->identity.user);
  g_free (fake->identity.group);
  g_free (fake->identity.gecos);
  g_free (fake->identity.home);
  g_free (fake->identity.host_passwd);
  g_free (fake->identity.host_group);
  g_strfreev (host->environment);
  g_free (host->home_name);
  path_clear (&host->home);
  path_clear (&host->cwd);
  path_clear (&host->tmp);
  path_clear (&host->runtime_dir);
  path_clear (&host->wayland);
  path_clear (&host->xauthority);
  g_ptr_array_unref (host->files);
  g_free (host->zone);
  g_free (fake->runtime.name);
  g_free (fake->runtime.path);
  g_ptr_array_unref (fake->contents.top);
  g_ptr_array_unref (fake->contents.etc);
  g_ptr_array_unref (fake->contents.var);
  g_ptr_array_unref (fake->input.shares);
  g_ptr_array_unref (fake->input.edits);
}
