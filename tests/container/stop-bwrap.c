/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded into bubblewrap, to stop it where the environment says:
 *
 *   PV_TEST_STOPPED=FIFO         where its child waits for a word from it (eight bytes): says so
 *                                through the FIFO
 *   PV_TEST_BEFORE_EXEC=FOLDER   where its child has made the container: says so through the FIFO
 *                                "says" there, and goes on at the end of the FIFO "goes-on" */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__ ((visibility ("default")))

PUBLIC ssize_t
write (int fd, const void *data, size_t size)
{
  const char *pipe = getenv ("PV_TEST_STOPPED");

  if (size == 8 && pipe != NULL)
    {
      int said = open (pipe, O_WRONLY | O_CLOEXEC);

      syscall (SYS_write, said, "stopped\n", sizeof "stopped\n" - 1);
      close (said);
      for (;;)
        pause ();
    }
  return syscall (SYS_write, fd, data, size);
}

static int says = -1, goes_on = -1;

/* Its child cannot reach them by their names. */
__attribute__ ((constructor)) static void
open_pipes (void)
{
  const char *folder = getenv ("PV_TEST_BEFORE_EXEC");
  char path[4096];

  if (folder == NULL)
    return;
  snprintf (path, sizeof path, "%s/says", folder);
  says = open (path, O_WRONLY | O_CLOEXEC);
  snprintf (path, sizeof path, "%s/goes-on", folder);
  goes_on = open (path, O_RDONLY | O_CLOEXEC);
}

PUBLIC int
execvp (const char *path, char *const argv[])
{
  char byte;

  if (says >= 0)
    {
      syscall (SYS_write, says, "stopped\n", sizeof "stopped\n" - 1);
      syscall (SYS_read, goes_on, &byte, 1);
    }
  return execve (path, argv, environ);
}
