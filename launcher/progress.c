/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_INTERVAL (G_USEC_PER_SEC / 10) /* microseconds */
#define DEFAULT_COLUMNS 80
#define BAR_COLUMNS 20

struct _PvProgress
{
  char *label;
  char *stage;
  guint64 files;
  guint64 bytes;
  guint64 total_files; /* 0: not known */
  guint64 total_bytes;
  gboolean quiet; /* nothing is said if there is no terminal */
  gint64 started;    /* monotonic, microseconds */
  gint64 drawn;      /* the same; 0: never */
  gboolean terminal; /* standard error is one */
  gboolean line;     /* there is a line that has not ended */
};

/**
 * pv_progress_new:
 * @label: what is being made
 * @quiet: whether to say nothing where standard error is no terminal
 *
 * Returns: (transfer full): a progress display; the time runs from here
 */
PvProgress *
pv_progress_new (const char *label, gboolean quiet)
{
  PvProgress *progress = g_new0 (PvProgress, 1);
  const char *term = g_getenv ("TERM");

  progress->label = g_strdup (label);
  progress->quiet = quiet;
  progress->stage = g_strdup ("starting");
  progress->started = g_get_monotonic_time ();
  progress->terminal = isatty (STDERR_FILENO) && g_strcmp0 (term, "dumb") != 0;
  return progress;
}

/* A line that does not fit would be wrapped, and then only its last row drawn again. */
static int
get_columns (void)
{
  struct winsize size;

  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
    return DEFAULT_COLUMNS;
  return size.ws_col;
}

/**
 * pv_progress_summary:
 *
 * Returns: (transfer full): how much, and in which time
 */
char *
pv_progress_summary (const PvProgress *progress)
{
  double seconds = (double) (g_get_monotonic_time () - progress->started) / G_USEC_PER_SEC;

  if (progress->files == 0)
    return g_strdup_printf ("%.0f s", seconds);
  return g_strdup_printf ("%.1f MB, %" G_GUINT64_FORMAT " files, %.0f s",
                          (double) progress->bytes / 1e6, progress->files, seconds);
}

/* Many small files take as long as a few large ones. */
static char *
make_bar (const PvProgress *progress)
{
  double files = (double) progress->files / (double) MAX (progress->total_files, 1);
  double bytes = (double) progress->bytes / (double) MAX (progress->total_bytes, 1);
  double done = progress->total_bytes == 0 ? files : (files + bytes) / 2;
  g_autofree char *full = g_strnfill ((gsize) (MIN (done, 1) * BAR_COLUMNS), '#');

  return g_strdup_printf (" [%-*s] %.0f %%", BAR_COLUMNS, full, MIN (done, 1) * 100);
}

static void
draw (PvProgress *progress)
{
  g_autofree char *summary = pv_progress_summary (progress);
  g_autofree char *bar = progress->total_files > 0 ? make_bar (progress) : g_strdup ("");
  g_autofree char *text = g_strdup_printf ("%s: %s%s (%s)", progress->label, progress->stage, bar,
                                           summary);
  int columns = get_columns ();

  fprintf (stderr, "\r%.*s\033[K", MAX (columns - 1, 1), text);
  fflush (stderr);
  progress->line = TRUE;
  progress->drawn = g_get_monotonic_time ();
}

/**
 * pv_progress_tick:
 *
 * Draws the line again if it is time to.
 */
void
pv_progress_tick (PvProgress *progress)
{
  if (progress->terminal && g_get_monotonic_time () - progress->drawn >= DRAW_INTERVAL)
    draw (progress);
}

/**
 * pv_progress_set_stage:
 * @stage: what is done now, in a few words; control characters are dropped
 */
void
pv_progress_set_stage (PvProgress *progress, const char *stage)
{
  g_autofree char *clean = g_strdup (stage);

  for (char *c = clean; *c != '\0'; c++)
    {
      if (g_ascii_iscntrl (*c))
        *c = ' ';
    }
  if (strcmp (clean, progress->stage) == 0)
    return;
  g_free (progress->stage);
  progress->stage = g_steal_pointer (&clean);
  if (progress->terminal)
    draw (progress);
  else if (!progress->quiet)
    fprintf (stderr, "%s: %s\n", progress->label, progress->stage);
}

/**
 * pv_progress_set_total:
 *
 * There is so much to do from here on, and a bar shows how much of it is done.
 */
void
pv_progress_set_total (PvProgress *progress, guint64 files, guint64 bytes)
{
  progress->files = progress->bytes = 0;
  progress->total_files = files;
  progress->total_bytes = bytes;
}

void
pv_progress_add (PvProgress *progress, guint64 files, guint64 bytes)
{
  progress->files += files;
  progress->bytes += bytes;
  pv_progress_tick (progress);
}

/**
 * pv_progress_clear:
 *
 * Removes the line, so that another message can be written.
 */
void
pv_progress_clear (PvProgress *progress)
{
  if (!progress->line)
    return;
  fputs ("\r\033[K", stderr);
  fflush (stderr);
  progress->line = FALSE;
}

void
pv_progress_free (PvProgress *progress)
{
  if (progress == NULL)
    return;
  pv_progress_clear (progress);
  g_free (progress->label);
  g_free (progress->stage);
  g_free (progress);
}
