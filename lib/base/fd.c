/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/**
 * pv_fd_clear:
 * @fd: (inout): an open fd or a negative number
 *
 * Closes @fd if it is open, and sets it to -1.  `errno` is kept.
 */
void
pv_fd_clear (int *fd)
{
  int saved_errno = errno;

  if (*fd >= 0)
    close (*fd);
  *fd = -1;
  errno = saved_errno;
}

/**
 * pv_fd_steal:
 * @fd: (inout): set to -1
 *
 * Returns: the fd that @fd was; the caller owns it
 */
int
pv_fd_steal (int *fd)
{
  int stolen = *fd;

  *fd = -1;
  return stolen;
}

gboolean
pv_fd_set_inherited (int fd, gboolean inherited, GError **error)
{
  int flags = fcntl (fd, F_GETFD);

  if (flags < 0)
    return pv_error_set_errno (error, errno, "Cannot read flags of file descriptor %d", fd);

  flags = inherited ? (flags & ~FD_CLOEXEC) : (flags | FD_CLOEXEC);
  if (fcntl (fd, F_SETFD, flags) < 0)
    return pv_error_set_errno (error, errno, "Cannot set flags of file descriptor %d", fd);
  return TRUE;
}

gboolean
pv_fd_is_open (int fd)
{
  return fd >= 0 && fcntl (fd, F_GETFD) >= 0;
}

/**
 * pv_fd_memfd:
 * @name: what `/proc/PID/fd` shows; for debugging
 * @data: the contents
 * @length: in bytes
 *
 * Returns: a sealed memfd, close-on-exec, whose offset is at its beginning, or -1 with @error set
 */
int
pv_fd_memfd (const char *name, gconstpointer data, gsize length, GError **error)
{
  pv_autofd fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0)
    {
      pv_error_set_errno (error, errno, "Cannot create memory file \"%s\"", name);
      return -1;
    }
  if (!pv_fd_write_all (fd, data, length, error))
    return -1;
  if (lseek (fd, 0, SEEK_SET) < 0
      || fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    {
      pv_error_set_errno (error, errno, "Cannot seal memory file \"%s\"", name);
      return -1;
    }
  return pv_fd_steal (&fd);
}

gboolean
pv_fd_write_all (int fd, gconstpointer data, gsize length, GError **error)
{
  const char *next = data;

  while (length > 0)
    {
      ssize_t written = TEMP_FAILURE_RETRY (write (fd, next, length));

      if (written < 0)
        return pv_error_set_errno (error, errno, "Cannot write to file descriptor %d", fd);
      next += written;
      length -= (gsize) written;
    }
  return TRUE;
}

/**
 * pv_fd_read_all:
 * @fd: read from its present offset to its end
 * @limit: the most bytes that are accepted
 * @ret_length: (out) (optional): bytes read, without the terminator
 *
 * Returns: (transfer full): the contents and a NUL, or %NULL with @error set
 */
char *
pv_fd_read_all (int fd, gsize limit, gsize *ret_length, GError **error)
{
  g_autoptr (GString) text = g_string_sized_new (4096);

  for (;;)
    {
      char buffer[4096];
      ssize_t got = TEMP_FAILURE_RETRY (read (fd, buffer, sizeof buffer));

      if (got < 0)
        {
          pv_error_set_errno (error, errno, "Cannot read from file descriptor %d", fd);
          return NULL;
        }
      if (got == 0)
        break;
      if (text->len + (gsize) got > limit)
        {
          pv_error_set (error, PV_ERROR_INVALID,
                        "Cannot read file descriptor %d: more than %" G_GSIZE_FORMAT " bytes", fd,
                        limit);
          return NULL;
        }
      g_string_append_len (text, buffer, got);
    }

  if (ret_length != NULL)
    *ret_length = text->len;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/**
 * pv_fd_get_path:
 * @fd: an open fd
 *
 * Returns: (transfer full) (nullable): the path that the kernel knows for @fd at this moment, for
 *  messages only: nothing may be opened through it
 */
char *
pv_fd_get_path (int fd)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);

  return g_file_read_link (link, NULL);
}

/**
 * pv_fd_protect_stdio:
 *
 * Opens `/dev/null` for each of 0, 1 and 2 that is closed, so that no other file can get that
 * number and be written to by mistake.
 */
gboolean
pv_fd_protect_stdio (GError **error)
{
  for (int fd = 0; fd <= 2; fd++)
    {
      int opened;

      if (pv_fd_is_open (fd))
        continue;
      opened = open ("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
      if (opened != fd)
        return pv_error_set_errno (error, errno, "Cannot open \"/dev/null\"");
    }
  return TRUE;
}

/* For kernels before 5.11. */
static gboolean
close_on_exec_one_by_one (GError **error)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      int fd = atoi (name);

      if (fd > 2)
        fcntl (fd, F_SETFD, FD_CLOEXEC);
    }
  return TRUE;
}

/**
 * pv_fd_close_on_exec_above_stdio:
 *
 * Marks every fd above 2 close-on-exec.  What is to be inherited is named afterwards.
 */
gboolean
pv_fd_close_on_exec_above_stdio (GError **error)
{
  if (syscall (SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
    return TRUE;
  return close_on_exec_one_by_one (error);
}
