/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "extract.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/mapping.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (256 * 1024)

/* Nothing may be written through a link or outside; no extended attributes, so no capabilities. */
#define DISK_FLAGS                                                                              \
  (ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT                            \
   | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM)

typedef struct archive PvArchive;

typedef struct
{
  PvBootstrap *bootstrap;
  GError *error; /* owned: why reading failed */
  char buffer[BUFFER_SIZE];
} Source;

static void
source_free (Source *source)
{
  g_clear_error (&source->error);
  g_free (source);
}

static void
free_reader (PvArchive *archive)
{
  archive_read_free (archive);
}

static void
free_writer (PvArchive *archive)
{
  archive_write_free (archive);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Source, source_free)
typedef PvArchive PvReader;
typedef PvArchive PvWriter;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvReader, free_reader)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvWriter, free_writer)

static la_ssize_t
read_source (PvArchive *archive, void *data, const void **ret_buffer)
{
  Source *source = data;
  gssize got = pv_bootstrap_read (source->bootstrap, source->buffer, BUFFER_SIZE, &source->error);

  *ret_buffer = source->buffer;
  if (got < 0)
    archive_set_error (archive, EIO, "%s", source->error->message);
  return got;
}

static gboolean
set_error (GError **error, PvArchive *archive, const char *path)
{
  const char *reason = archive_error_string (archive);

  return pv_error_set (error, PV_ERROR_FAILED, "Cannot extract \"%s\": %s", path,
                       reason != NULL ? reason : "unknown error");
}

/* Returns: FALSE without an error if the entry has no place in a runtime */
static gboolean
map_entry (struct archive_entry *entry, PvLayout layout, GError **error)
{
  const char *path = archive_entry_pathname (entry);
  const char *link = archive_entry_hardlink (entry);
  mode_t type = archive_entry_filetype (entry);
  g_autofree char *mapped = NULL;

  if (path == NULL)
    return pv_error_set (error, PV_ERROR_INVALID, "Cannot extract a file without a name");
  if (layout == PV_LAYOUT_USR && pv_mapping_is_unmerged (path))
    {
      pv_error_set (error, PV_ERROR_INVALID, "Cannot use \"%s\": /usr is not merged", path);
      return pv_error_hint (error, "set merge_usr=layout in the recipe");
    }
  mapped = pv_mapping_map (layout, path);
  if (mapped == NULL || (link == NULL && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
    return FALSE;

  if (link != NULL)
    {
      g_autofree char *mapped_link = pv_mapping_map (layout, link);

      if (mapped_link == NULL)
        return pv_error_set (error, PV_ERROR_INVALID,
                             "Cannot extract \"%s\": its other name \"%s\" is left out",
                             path, link);
      archive_entry_set_hardlink (entry, mapped_link);
    }
  archive_entry_set_pathname (entry, mapped);
  return TRUE;
}

/* No setuid, no setgid; and its owner can read and delete everything. */
static void
set_permissions (struct archive_entry *entry)
{
  mode_t mode = archive_entry_perm (entry) & 0777;

  mode |= archive_entry_filetype (entry) == AE_IFDIR ? 0700 : 0400;
  archive_entry_set_perm (entry, mode);
}

static gboolean
copy_data (PvArchive *reader, PvArchive *writer, const char *path, PvProgress *progress,
           GError **error)
{
  for (;;)
    {
      const void *block;
      size_t size;
      la_int64_t offset;
      int status = archive_read_data_block (reader, &block, &size, &offset);

      if (status == ARCHIVE_EOF)
        return TRUE;
      if (status < ARCHIVE_WARN)
        return set_error (error, reader, path);
      if (archive_write_data_block (writer, block, size, offset) < ARCHIVE_WARN)
        return set_error (error, writer, path);
      pv_progress_add (progress, 0, size);
    }
}

static gboolean
extract_entry (PvArchive *reader, PvArchive *writer, struct archive_entry *entry, PvLayout layout,
               PvProgress *progress, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  const char *path;

  if (!map_entry (entry, layout, &local_error))
    {
      if (local_error == NULL)
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  path = archive_entry_pathname (entry);
  set_permissions (entry);
  if (archive_write_header (writer, entry) < ARCHIVE_WARN)
    return set_error (error, writer, path);
  pv_progress_add (progress, 1, 0);
  if (archive_entry_hardlink (entry) == NULL && archive_entry_size (entry) > 0
      && !copy_data (reader, writer, path, progress, error))
    return FALSE;
  return archive_write_finish_entry (writer) >= ARCHIVE_WARN || set_error (error, writer, path);
}

static gboolean
extract_all (Source *source, PvLayout layout, PvProgress *progress, GError **error)
{
  g_autoptr (PvReader) reader = archive_read_new ();
  g_autoptr (PvWriter) writer = archive_write_disk_new ();
  struct archive_entry *entry;
  int status;

  archive_read_support_format_tar (reader);
  archive_write_disk_set_options (writer, DISK_FLAGS | (geteuid () == 0 ? ARCHIVE_EXTRACT_OWNER
                                                                        : 0));
  if (archive_read_open (reader, source, NULL, read_source, NULL) < ARCHIVE_WARN)
    return set_error (error, reader, "-");

  while ((status = archive_read_next_header (reader, &entry)) >= ARCHIVE_WARN
         && status != ARCHIVE_EOF)
    {
      if (archive_file_count (reader) == 1)
        pv_progress_set_stage (progress, "unpacking into the store");
      if (!extract_entry (reader, writer, entry, layout, progress, error))
        return FALSE;
    }
  if (status != ARCHIVE_EOF)
    return set_error (error, reader, "-");
  return archive_write_close (writer) >= ARCHIVE_WARN || set_error (error, writer, "-");
}

/**
 * pv_extract:
 * @bootstrap: writes a root file system as an archive
 * @files_fd: a folder; the working directory is changed to it for a while, since libarchive knows
 *  no other way to write into an open folder
 * @layout: which part is wanted
 * @progress: is told about every file
 *
 * Fills @files_fd, without devices, setuid bits, extended attributes and whatever belongs to the
 * machine.  Owners are kept for root only.
 */
gboolean
pv_extract (PvBootstrap *bootstrap, int files_fd, PvLayout layout, PvProgress *progress,
            GError **error)
{
  g_autoptr (Source) source = g_new0 (Source, 1);
  pv_autofd previous_fd = open (".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  gboolean ok;

  source->bootstrap = bootstrap;
  if (fchdir (files_fd) < 0)
    return pv_error_set_errno (error, errno, "Cannot enter the staging folder");
  ok = extract_all (source, layout, progress, error);
  if ((previous_fd < 0 || fchdir (previous_fd) < 0) && chdir ("/") < 0)
    return ok && pv_error_set_errno (error, errno, "Cannot leave the staging folder");
  return ok;
}
