/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/fds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
close_between (unsigned first, unsigned last)
{
  struct rlimit limit;

  if (first > last || syscall (SYS_close_range, first, last, 0U) == 0)
    return;

  /* Linux before 5.9 */
  if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && last >= limit.rlim_max)
    last = (unsigned) limit.rlim_max;
  for (unsigned fd = first; fd < last; fd++)
    close ((int) fd);
}

/**
 * pv_fds_close_all_but:
 * @kept: in any order
 *
 * Closes every fd above 2 that is not in @kept.
 */
void
pv_fds_close_all_but (const int *kept, size_t n_kept)
{
  unsigned first = 3;

  for (;;)
    {
      unsigned next = ~0U;

      for (size_t i = 0; i < n_kept; i++)
        {
          if ((unsigned) kept[i] >= first && (unsigned) kept[i] < next)
            next = (unsigned) kept[i];
        }
      if (next == ~0U)
        break;
      if (next > first)
        close_between (first, next - 1);
      first = next + 1;
    }
  close_between (first, ~0U);
}

/**
 * pv_fds_set_close_on_exec:
 *
 * Returns: false if @fd is not open
 */
bool
pv_fds_set_close_on_exec (int fd, bool close_on_exec)
{
  return fcntl (fd, F_SETFD, close_on_exec ? FD_CLOEXEC : 0) == 0;
}
