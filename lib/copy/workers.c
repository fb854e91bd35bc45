/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A GThreadPool keeps its threads for a while after it has gone, and does not say when they end;
 * these are joined.  The one who gives the work does its share: no thread of it idles. */
#include "copy/workers.h"

/* Jobs hold open files. */
#define MAX_WAITING 4

/**
 * PvWorkers: threads that do what is pushed.
 * @mutex: guards all below
 * @pushed: there is a job, or none will ever come
 * @done: a job is done
 * @waiting: jobs that nobody has begun
 * @n_running: jobs that a thread is doing
 */
struct PvWorkers
{
  PvWorkFunc func;
  gpointer data;
  GPtrArray *threads;
  GMutex mutex;
  GCond pushed;
  GCond done;
  GQueue waiting;
  guint n_running;
  gboolean ending;
};

static gpointer
work (gpointer data)
{
  PvWorkers *self = data;
  gpointer job;

  g_mutex_lock (&self->mutex);
  for (;;)
    {
      while (self->waiting.length == 0 && !self->ending)
        g_cond_wait (&self->pushed, &self->mutex);
      job = g_queue_pop_head (&self->waiting);
      if (job == NULL)
        break;
      self->n_running++;
      g_mutex_unlock (&self->mutex);
      self->func (job, self->data);
      g_mutex_lock (&self->mutex);
      self->n_running--;
      g_cond_signal (&self->done);
    }
  g_mutex_unlock (&self->mutex);
  return NULL;
}

/**
 * pv_workers_new:
 * @n_threads: how many threads work, the caller's own among them.  If there can be no more, fewer
 *  do
 * @func: does a job, which it gets (transfer full)
 * @data: for @func; borrowed
 *
 * Returns: (transfer full): to be used by one thread only
 */
PvWorkers *
pv_workers_new (guint n_threads, PvWorkFunc func, gpointer data)
{
  PvWorkers *self = g_new0 (PvWorkers, 1);

  self->func = func;
  self->data = data;
  self->threads = g_ptr_array_new ();
  g_mutex_init (&self->mutex);
  g_cond_init (&self->pushed);
  g_cond_init (&self->done);
  g_queue_init (&self->waiting);
  for (guint i = 1; i < n_threads; i++)
    {
      GThread *thread = g_thread_try_new ("copy", work, self, NULL);

      if (thread == NULL)
        break;
      g_ptr_array_add (self->threads, thread);
    }
  return self;
}

/**
 * pv_workers_push:
 * @job: (transfer full): is done at some time before pv_workers_wait() returns; here and now if
 *  enough others are waiting
 */
void
pv_workers_push (PvWorkers *workers, gpointer job)
{
  gboolean queued;

  g_mutex_lock (&workers->mutex);
  queued = workers->threads->len > 0 && workers->waiting.length < MAX_WAITING;
  if (queued)
    {
      g_queue_push_tail (&workers->waiting, job);
      g_cond_signal (&workers->pushed);
    }
  g_mutex_unlock (&workers->mutex);
  if (!queued)
    workers->func (job, workers->data);
}

/**
 * pv_workers_wait:
 *
 * Returns when all that was pushed is done.
 */
void
pv_workers_wait (PvWorkers *workers)
{
  gpointer job;

  g_mutex_lock (&workers->mutex);
  while ((job = g_queue_pop_head (&workers->waiting)) != NULL)
    {
      g_mutex_unlock (&workers->mutex);
      workers->func (job, workers->data);
      g_mutex_lock (&workers->mutex);
    }
  while (workers->n_running > 0)
    g_cond_wait (&workers->done, &workers->mutex);
  g_mutex_unlock (&workers->mutex);
}

/**
 * pv_workers_free:
 *
 * Ends the threads, after all that was pushed is done.
 */
void
pv_workers_free (PvWorkers *workers)
{
  if (workers == NULL)
    return;
  pv_workers_wait (workers);
  g_mutex_lock (&workers->mutex);
  workers->ending = TRUE;
  g_cond_broadcast (&workers->pushed);
  g_mutex_unlock (&workers->mutex);
  for (guint i = 0; i < workers->threads->len; i++)
    g_thread_join (workers->threads->pdata[i]);
  g_ptr_array_unref (workers->threads);
  g_mutex_clear (&workers->mutex);
  g_cond_clear (&workers->pushed);
  g_cond_clear (&workers->done);
  g_free (workers);
}
