/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded into bubblewrap: stops it where its child waits for a word from it (eight bytes), and
 * says so through the FIFO that PV_TEST_STOPPED names. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__ ((visibility ("default"))) ssize_t
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
