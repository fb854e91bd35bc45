/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A manifest as text, whether or not it is compressed. */
#include "deploy/unpack.h"

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#define BLOCK_SIZE (64 * 1024)

typedef struct archive PvUnpack;

static void
free_unpack (PvUnpack *archive)
{
  archive_read_free (archive);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvUnpack, free_unpack)

typedef struct
{
  PvUnpack *archive;
  const char *path;
} Source;

static gboolean
set_error (GError **error, const Source *source)
{
  const char *reason = archive_error_string (source->archive);

  return pv_error_set (error, PV_ERROR_INVALID, "Cannot use manifest \"%s\": %s", source->path,
                       reason != NULL ? reason : "it cannot be unpacked");
}

static gssize
read_part (gpointer data, char *buffer, gsize size, GError **error)
{
  const Source *source = data;
  la_ssize_t got = archive_read_data (source->archive, buffer, size);

  if (got < 0)
    set_error (error, source);
  return got < 0 ? -1 : got;
}

/**
 * pv_unpack_mtree:
 * @fd: the manifest; its offset is changed
 * @path: (type filename): of it, for messages
 *
 * Returns: (transfer full): what it says, or %NULL with @error set
 */
PvMtree *
pv_unpack_mtree (int fd, const char *path, GError **error)
{
  g_autoptr (PvUnpack) archive = archive_read_new ();
  const Source source = { .archive = archive, .path = path };
  struct archive_entry *entry;

  /* Nothing but one file, compressed or not; an empty one is none. */
  archive_read_support_filter_gzip (archive);
  archive_read_support_format_raw (archive);
  archive_read_support_format_empty (archive);
  if (lseek (fd, 0, SEEK_SET) < 0 || archive_read_open_fd (archive, fd, BLOCK_SIZE) != ARCHIVE_OK)
    {
      set_error (error, &source);
      return NULL;
    }
  switch (archive_read_next_header (archive, &entry))
    {
    case ARCHIVE_OK:
    case ARCHIVE_EOF:
      return pv_mtree_read (path, read_part, (gpointer) &source, error);
    default:
      set_error (error, &source);
      return NULL;
    }
}
