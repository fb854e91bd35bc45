/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A runtime that is shipped as a manifest: usr-mtree.txt.gz or usr-mtree.txt, beside a folder `files`
 * in which links, and whatever is empty, may be missing. */
#include "copy/manifest.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define FILES "files"

/* Of a SHA-256: as unlikely to meet as a UUID. */
#define DIGEST_LENGTH 32

static const char *const names[] = { "usr-mtree.txt.gz", "usr-mtree.txt" };

void
pv_manifest_free (PvManifest *manifest)
{
  if (manifest == NULL)
    return;
  pv_fd_clear (&manifest->fd);
  g_free (manifest->path);
  g_free (manifest->digest);
  g_free (manifest);
}

static gboolean
set_error (GError **error, int saved_errno, int parent_fd, const char *name)
{
  g_autofree char *folder = pv_fd_get_path (parent_fd);

  if (saved_errno == ELOOP || saved_errno == ENXIO || saved_errno == 0)
    return pv_error_set (error, PV_ERROR_INVALID,
                         "Cannot use manifest \"%s/%s\": not a regular file", folder, name);
  return pv_error_set_errno (error, saved_errno, "Cannot open manifest \"%s/%s\"", folder, name);
}

/* The runtime must be the folder `files` beside it: what is said of some other folder says nothing
 * of this one. */
static gboolean
is_beside (int parent_fd, int files_fd)
{
  struct stat named, given;

  return fstatat (parent_fd, FILES, &named, AT_SYMLINK_NOFOLLOW) == 0
         && fstat (files_fd, &given) == 0 && named.st_dev == given.st_dev
         && named.st_ino == given.st_ino;
}

static void
add_number (GChecksum *sum, guint64 number)
{
  guint64 bytes = GUINT64_TO_LE (number);

  g_checksum_update (sum, (const guchar *) &bytes, sizeof bytes);
}

/* Returns: FALSE with errno set */
static gboolean
add_node (GChecksum *sum, int fd, struct stat *ret_st)
{
  struct statfs filesystem;
  guint32 id[2];

  if (fstat (fd, ret_st) < 0 || fstatfs (fd, &filesystem) < 0)
    return FALSE;
  memcpy (id, &filesystem.f_fsid, sizeof id);
  add_number (sum, id[0]);
  add_number (sum, id[1]);
  add_number (sum, ret_st->st_ino);
  return TRUE;
}

static char *
get_digest (int manifest_fd, int files_fd)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  struct stat st;

  if (!add_node (sum, files_fd, &st) || !add_node (sum, manifest_fd, &st))
    return NULL;
  add_number (sum, (guint64) st.st_size);
  add_number (sum, (guint64) st.st_mtim.tv_sec);
  add_number (sum, (guint64) st.st_mtim.tv_nsec);
  add_number (sum, (guint64) st.st_ctim.tv_sec);
  add_number (sum, (guint64) st.st_ctim.tv_nsec);
  return g_strndup (g_checksum_get_string (sum), DIGEST_LENGTH);
}

/* Takes @fd. */
static PvManifest *
manifest_new (int parent_fd, const char *name, int fd, int files_fd, GError **error)
{
  g_autoptr (PvManifest) self = g_new0 (PvManifest, 1);
  struct stat st;

  self->fd = fd;
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    {
      set_error (error, 0, parent_fd, name);
      return NULL;
    }
  self->path = pv_fd_get_path (fd);
  self->digest = get_digest (fd, files_fd);
  if (self->path != NULL && self->digest != NULL)
    return g_steal_pointer (&self);
  set_error (error, errno, parent_fd, name);
  return NULL;
}

/**
 * pv_manifest_find:
 * @files_fd: a runtime's folder; `O_PATH` will do
 * @ret_manifest: (out) (nullable) (transfer full): %NULL: there is none, the runtime is what it is
 *
 * Looks for `usr-mtree.txt.gz`, then for `usr-mtree.txt`, beside the folder @files_fd, if that is
 * called `files`.
 *
 * The digest in what is found is not one of contents, since no launch is to read and hash a megabyte:
 * it is made of filesystem, inode, size, mtime and ctime of the manifest, and of filesystem and
 * inode of @files_fd.  Whoever installs another manifest changes at least one of them; stat(2) tells,
 * and nothing is read.  A filesystem is known by its `f_fsid`, see statfs(2): device numbers are not
 * always the same after the next start of the machine.
 *
 * Returns: %FALSE with @error set: %PV_ERROR_INVALID if it is a link or a special file
 */
gboolean
pv_manifest_find (int files_fd, PvManifest **ret_manifest, GError **error)
{
  pv_autofd parent_fd = openat (files_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

  *ret_manifest = NULL;
  for (gsize i = 0; parent_fd >= 0 && i < G_N_ELEMENTS (names); i++)
    {
      pv_autofd fd =
          openat (parent_fd, names[i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

      if (fd < 0 && errno == ENOENT)
        continue;
      if (!is_beside (parent_fd, files_fd))
        return TRUE;
      if (fd < 0)
        return set_error (error, errno, parent_fd, names[i]);
      *ret_manifest = manifest_new (parent_fd, names[i], pv_fd_steal (&fd), files_fd, error);
      return *ret_manifest != NULL;
    }
  return TRUE;
}

/**
 * pv_manifest_is_current:
 * @path: (type filename): where a manifest was, absolute
 * @digest: the one that it had
 *
 * Returns: whether it still is the manifest of the folder `files` beside it, and unchanged
 */
gboolean
pv_manifest_is_current (const char *path, const char *digest)
{
  g_autofree char *folder = g_path_get_dirname (path);
  pv_autofd parent_fd = open (folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  pv_autofd files_fd =
      parent_fd < 0 ? -1 : openat (parent_fd, FILES, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  g_autoptr (PvManifest) manifest = NULL;

  return files_fd >= 0 && pv_manifest_find (files_fd, &manifest, NULL) && manifest != NULL
         && strcmp (manifest->digest, digest) == 0;
}

/**
 * pv_manifest_is_digest:
 *
 * Returns: whether @text has the form of one
 */
gboolean
pv_manifest_is_digest (const char *text)
{
  return strlen (text) == DIGEST_LENGTH && strspn (text, "0123456789abcdef") == DIGEST_LENGTH;
}
