/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What --status-fd tells another program: one JSON object a line.  The last line, that the program
 * has exited, comes from pv-supervise: launcher/supervise/report.c. */
#include "report.h"

#include "base/fd.h"
#include "copy-search.h"
#include "launch/protocol.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

/* Paths can have any byte. */
static json_t *
string_new (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  return json_string (valid);
}

/* Who does not listen any more, or does not read, is not told, and what is started is not stopped by
 * that. */
static void
write_line (int fd, const char *line)
{
  struct pollfd writable = { .fd = fd, .events = POLLOUT };
  void (*before) (int) = signal (SIGPIPE, SIG_IGN);

  if (poll (&writable, 1, PV_PROTOCOL_REPORT_WAIT_MS) > 0)
    pv_fd_write_all (fd, line, strlen (line), NULL);
  signal (SIGPIPE, before);
}

/* Takes @details. */
static void
report (const PvReport *self, const char *event, json_t *details)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char *text = json_dumps (details, JSON_COMPACT);

  g_string_printf (line, PV_PROTOCOL_EVENT_FORMAT, event,
                   PV_PROTOCOL_EVENT_TIME (pv_protocol_now () - self->began));
  if (json_object_size (details) > 0)
    {
      g_string_append_c (line, ',');
      g_string_append (line, text + strlen ("{"));
    }
  else
    {
      g_string_append_c (line, '}');
    }
  g_string_append_c (line, '\n');
  write_line (self->fd, line->str);
  free (text);
  json_decref (details);
}

/**
 * pv_report_resolved:
 * @runtime: from pv_runtime_look_up()
 */
void
pv_report_resolved (const PvReport *self, const PvRuntime *runtime)
{
  json_t *details = json_object ();

  json_object_set_new (details, "runtime", string_new (runtime->path));
  report (self, "resolved", details);
}

/**
 * pv_report_waiting:
 * @path: the lock that another process holds
 * @holder: one that does, or 0
 */
void
pv_report_waiting (const PvReport *self, const char *path, int holder)
{
  json_t *details;

  if (self->fd < 0)
    return;
  details = json_object ();
  json_object_set_new (details, "lock", string_new (path));
  if (holder > 0)
    json_object_set_new (details, "holder", json_integer (holder));
  report (self, "waiting", details);
}

/**
 * pv_report_locked:
 * @locks: (element-type PvLock): may be empty
 */
void
pv_report_locked (const PvReport *self, const GPtrArray *locks)
{
  json_t *details, *paths;

  if (self->fd < 0)
    return;
  details = json_object ();
  paths = json_array ();
  for (guint i = 0; i < locks->len; i++)
    {
      g_autofree char *path = pv_lock_get_path (g_ptr_array_index (locks, i));

      json_array_append_new (paths, string_new (path));
    }
  json_object_set_new (details, "locks", paths);
  report (self, "locked", details);
}

/**
 * pv_report_copied:
 * @skipped: (element-type PvCopySkipped): the strategies that do not work here
 *
 * May be said again: an overlay is mounted only when the container is started, and if that fails,
 * there is another copy.
 */
void
pv_report_copied (const PvReport *self, const PvCopy *copy, const GPtrArray *skipped)
{
  json_t *details, *others;

  if (self->fd < 0)
    return;
  details = json_object ();
  others = json_array ();
  for (guint i = 0; i < skipped->len; i++)
    {
      const PvCopySkipped *other = g_ptr_array_index (skipped, i);
      json_t *object = json_object ();

      json_object_set_new (object, "strategy",
                           json_string (pv_copy_strategy_to_string (other->strategy)));
      json_object_set_new (object, "reason", string_new (other->reason));
      json_array_append_new (others, object);
    }
  json_object_set_new (details, "copy", string_new (copy->path));
  json_object_set_new (details, "strategy",
                       json_string (pv_copy_strategy_to_string (copy->strategy)));
  json_object_set_new (details, "skipped", others);
  report (self, "copied", details);
}

/**
 * pv_report_deployed:
 * @manifest: (type filename): from which the runtime was deployed
 * @seconds: how long that took
 */
void
pv_report_deployed (const PvReport *self, const char *manifest, double seconds)
{
  json_t *details;

  if (self->fd < 0)
    return;
  details = json_object ();
  json_object_set_new (details, "manifest", string_new (manifest));
  json_object_set_new (details, "seconds", json_real (seconds));
  report (self, "deployed", details);
}

/**
 * pv_report_started:
 * @pid: of the program, as it is seen from here
 */
void
pv_report_started (const PvReport *self, int pid)
{
  json_t *details;

  if (self->fd < 0)
    return;
  details = json_object ();
  json_object_set_new (details, "pid", json_integer (pid));
  report (self, "started", details);
}

/**
 * pv_report_failed:
 * @status: the launcher's exit status
 * @error: (nullable): why; %NULL: that has been said on standard error only
 *
 * The program does not run.
 */
void
pv_report_failed (const PvReport *self, int status, const GError *error)
{
  json_t *details;

  if (self->fd < 0)
    return;
  details = json_object ();
  json_object_set_new (details, "status", json_integer (status));
  if (error != NULL)
    json_object_set_new (details, "message", string_new (error->message));
  report (self, "failed", details);
}
