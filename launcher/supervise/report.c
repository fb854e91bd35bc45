/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/report.h"
#include "supervise/message.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/**
 * pv_report_exited:
 * @status: the program's exit status
 *
 * Writes a line as the launcher does.  Who does not listen any more, or does not read, is not told.
 */
void
pv_report_exited (const PvExitReport *self, int status)
{
  struct pollfd writable = { .fd = self->fd, .events = POLLOUT };
  char line[128];
  int length;

  if (self->fd < 0)
    return;
  length = snprintf (line, sizeof line, PV_PROTOCOL_EVENT_FORMAT ",\"status\":%d}\n", "exited",
                     PV_PROTOCOL_EVENT_TIME (pv_protocol_now () - self->began), status);
  if (poll (&writable, 1, PV_PROTOCOL_REPORT_WAIT_MS) > 0)
    PV_RETRY (write (self->fd, line, (size_t) length));
}
