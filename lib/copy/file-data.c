/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy/file-data.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define BUFFER_SIZE 65536

/* Of st_blocks; see stat(3type). */
#define STAT_BLOCK 512

/* What one call is asked for: more than any file of a runtime has. */
#define MAX_LENGTH (1 << 30)

/**
 * pv_file_data_clone:
 * @source_fd: a file, open for reading
 * @dest_fd: an empty one, open for writing
 *
 * The copy shares the source's blocks until one of the two is written to: ioctl_ficlone(2).
 *
 * Returns: %FALSE with `errno` set
 */
gboolean
pv_file_data_clone (int source_fd, int dest_fd)
{
  return ioctl (dest_fd, FICLONE, source_fd) == 0;
}

static ssize_t
read_and_write (int source_fd, int dest_fd, off_t offset, gsize length)
{
  char buffer[BUFFER_SIZE];
  ssize_t got = pread (source_fd, buffer, MIN (length, sizeof buffer), offset);
  ssize_t done = 0;

  while (done < got)
    {
      ssize_t written = pwrite (dest_fd, buffer + done, (gsize) (got - done), offset + done);

      if (written < 0 && errno != EINTR)
        return -1;
      done += MAX (written, 0);
    }
  return got;
}

/* Returns: how many bytes were copied, 0 at the end of the file, or -1 with `errno` set */
static ssize_t
copy_some (int source_fd, int dest_fd, off_t offset, gsize length, PvDataMethod method)
{
  off_t dest_offset = offset;

  switch (method)
    {
    case PV_DATA_COPY_FILE_RANGE:
      return copy_file_range (source_fd, &offset, dest_fd, &dest_offset, length, 0);
    case PV_DATA_SENDFILE:
      if (lseek (dest_fd, offset, SEEK_SET) < 0)
        return -1;
      return sendfile (dest_fd, source_fd, &offset, length);
    case PV_DATA_READ_WRITE:
    default:
      return read_and_write (source_fd, dest_fd, offset, length);
    }
}

/* As copy_file_range(2) and sendfile(2) have it; a sandbox may say EPERM. */
static gboolean
is_unsupported (int saved_errno)
{
  return saved_errno == EXDEV || saved_errno == EINVAL || saved_errno == ENOSYS
         || saved_errno == EOPNOTSUPP || saved_errno == EPERM;
}

static gboolean
copy_range (int source_fd, int dest_fd, off_t offset, off_t end, gint *method)
{
  PvDataMethod here = (PvDataMethod) g_atomic_int_get (method);

  while (offset < end)
    {
      gsize length = (gsize) MIN (end - offset, MAX_LENGTH);
      ssize_t done = copy_some (source_fd, dest_fd, offset, length, here);

      if (done > 0)
        offset += done;
      else if (done < 0 && errno == EINTR)
        continue;
      else if (here == PV_DATA_READ_WRITE)
        /* It ends here: somebody has made it shorter. */
        return done == 0;
      else if (done == 0)
        /* That may be the end; some filesystems say so although it is not. */
        here = PV_DATA_READ_WRITE;
      else if (is_unsupported (errno))
        g_atomic_int_set (method, (gint) ++here);
      else
        return FALSE;
    }
  return TRUE;
}

/* See lseek(2).  Where the filesystem knows nothing of holes, all is data. */
static gboolean
copy_without_holes (int source_fd, int dest_fd, off_t size, gint *method)
{
  off_t offset = 0;

  while (offset < size)
    {
      off_t begin = lseek (source_fd, offset, SEEK_DATA);
      off_t end;

      if (begin < 0 && errno == ENXIO)
        break;
      if (begin < 0)
        return errno == EINVAL && copy_range (source_fd, dest_fd, offset, size, method);
      end = lseek (source_fd, begin, SEEK_HOLE);
      if (end < 0)
        return FALSE;
      end = MIN (end, size);
      if (!copy_range (source_fd, dest_fd, begin, end, method))
        return FALSE;
      offset = end;
    }
  return ftruncate (dest_fd, size) == 0;
}

/**
 * pv_file_data_copy:
 * @source_fd: a file, open for reading; its offset may be changed
 * @st: what fstat(2) says of it
 * @dest_fd: an empty one, open for writing
 * @method: (inout): the #PvDataMethod that works; may be shared by threads
 *
 * Copies what the file contains; holes stay holes.
 *
 * Returns: %FALSE with `errno` set
 */
gboolean
pv_file_data_copy (int source_fd, const struct stat *st, int dest_fd, gint *method)
{
  if (st->st_blocks < st->st_size / STAT_BLOCK)
    return copy_without_holes (source_fd, dest_fd, st->st_size, method);
  return copy_range (source_fd, dest_fd, 0, st->st_size, method);
}
