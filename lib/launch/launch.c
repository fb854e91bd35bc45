/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starts bubblewrap, and becomes the supervisor outside while it works. */
#include "launch/launch.h"

#include "base/error.h"
#include "base/fd.h"
#include "launch/bwrap-args.h"
#include "launch/fd-set.h"
#include "launch/protocol.h"
#include "launch/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bubblewrap counts the program's arguments in its limit of 9,000, and a single page of arguments
 * is what people want to read in ps(1): more goes through the memory file. */
#define MAX_PLAIN_ARGS 1000
#define MAX_PLAIN_BYTES (64 * 1024)

static gboolean
is_long (char **program)
{
  gsize bytes = 0;
  gsize count;

  for (count = 0; program[count] != NULL; count++)
    bytes += strlen (program[count]) + 1;
  return count > MAX_PLAIN_ARGS || bytes > MAX_PLAIN_BYTES;
}

static void
add_fds (GPtrArray *orders, const char *option, const GPtrArray *locks)
{
  for (guint i = 0; i < locks->len; i++)
    g_ptr_array_add (
        orders, g_strdup_printf ("--%s=%d", option, pv_lock_get_fd (g_ptr_array_index (locks, i))));
}

/* What must be found where it was to be mounted. */
static gboolean
add_expectations (GPtrArray *orders, const PvPlan *plan, GError **error)
{
  for (guint i = 0; i < plan->mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (plan->mounts, i);
      const char *sub = mount->sub != NULL ? mount->sub : "";
      struct stat st;

      if (mount->fd < 0)
        continue;
      if (mount->layered)
        {
          g_ptr_array_add (orders, g_strconcat ("--expect=0:0:", mount->dest, NULL));
          continue;
        }
      if (fstatat (mount->fd, sub, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return pv_error_set_errno (error, errno, "Cannot look at \"%s\"", mount->source);
      g_ptr_array_add (orders,
                       g_strdup_printf ("--expect=%llx:%llu:%s", (unsigned long long) st.st_dev,
                                        (unsigned long long) st.st_ino, mount->dest));
    }
  return TRUE;
}

/* What needs no mount is made inside: see supervise/nodes.c. */
static void
add_nodes (GPtrArray *orders, const PvPlan *plan, const GArray *files)
{
  guint n_files = 0;

  for (guint i = 0; i < plan->mounts->len; i++)
    {
      const PvMount *mount = g_ptr_array_index (plan->mounts, i);

      if (mount->replaces)
        g_ptr_array_add (orders, g_strconcat ("--remove=", mount->dest, NULL));
      if (mount->kind == PV_MOUNT_LINK)
        {
          g_ptr_array_add (orders, g_strconcat ("--link-to=", mount->source, NULL));
          g_ptr_array_add (orders, g_strdup (mount->dest));
        }
      else if (mount->kind == PV_MOUNT_FOLDER)
        {
          g_ptr_array_add (orders, g_strdup_printf ("--folder=%o:%s", mount->mode, mount->dest));
        }
      else if (mount->kind == PV_MOUNT_FILE)
        {
          int fd = g_array_index (files, int, n_files++);

          g_ptr_array_add (orders, g_strdup_printf ("--file=%d:%s", fd, mount->dest));
        }
    }
}

static void
add_inherited (GPtrArray *orders, const PvLaunchInput *input, const PvFdSet *set)
{
  g_ptr_array_add (orders, g_strdup_printf ("--link=%d", set->link_inside));
  g_ptr_array_add (orders, g_strdup_printf ("--error-output=%d", set->error_output));
  add_fds (orders, "lease", set->inside_leases);
  add_fds (orders, "keep", set->program_leases);
  for (guint i = 0; i < input->pass_fds->len; i++)
    g_ptr_array_add (orders,
                     g_strdup_printf ("--keep=%d", g_array_index (input->pass_fds, int, i)));
  if (input->wrapped)
    g_ptr_array_add (orders, g_strdup ("--wrapped"));
  if (input->terminal >= 0)
    g_ptr_array_add (orders, g_strdup_printf ("--terminal=%d", input->terminal));
  if (set->inside_leases->len > 0
      && pv_lock_is_process_oriented (g_ptr_array_index (set->inside_leases, 0)))
    g_ptr_array_add (orders, g_strdup ("--process-oriented"));
}

static void
add_environment (GPtrArray *orders, const GPtrArray *edits)
{
  for (guint i = 0; i < edits->len; i++)
    {
      const PvEnvironmentEdit *edit = g_ptr_array_index (edits, i);

      if (edit->value != NULL)
        g_ptr_array_add (orders, g_strdup_printf ("--setenv=%s=%s", edit->name, edit->value));
      else
        g_ptr_array_add (orders, g_strconcat ("--unsetenv=", edit->name, NULL));
    }
}

/* Bit N - 1 is signal N, as in /proc/PID/status. */
static char *
format_mask (const sigset_t *mask)
{
  guint64 bits = 0;

  for (int i = 1; i <= 64; i++)
    {
      if (sigismember (mask, i) == 1)
        bits |= G_GUINT64_CONSTANT (1) << (i - 1);
    }
  return g_strdup_printf ("--mask=%" G_GINT64_MODIFIER "x", bits);
}

/* Both supervisors: the one outside takes the place of the one inside. */
static void
add_timeouts (GPtrArray *words, const PvLaunchInput *input)
{
  if (input->terminate_ms < 0)
    return;
  g_ptr_array_add (words, g_strdup_printf ("--terminate-timeout=%d", input->terminate_ms));
  g_ptr_array_add (words,
                   g_strdup_printf ("--terminate-idle-timeout=%d", input->terminate_idle_ms));
}

static GPtrArray *
make_orders (const PvLaunchInput *input, const PvFdSet *set, const sigset_t *mask, GError **error)
{
  g_autoptr (GPtrArray) orders = g_ptr_array_new_full (512, g_free);

  g_ptr_array_add (orders, format_mask (mask));
  add_timeouts (orders, input);
  if (input->exit_with_parent)
    g_ptr_array_add (orders, g_strdup ("--exit-with-parent"));
  add_inherited (orders, input, set);
  add_nodes (orders, input->plan, set->files);
  add_environment (orders, input->plan->edits);
  if (!add_expectations (orders, input->plan, error))
    return NULL;

  if (is_long (input->program))
    {
      g_ptr_array_add (orders, g_strdup ("--"));
      for (gsize i = 0; input->program[i] != NULL; i++)
        g_ptr_array_add (orders, g_strdup (input->program[i]));
    }
  return g_steal_pointer (&orders);
}

/* bwrap --args FD -- /proc/self/fd/FD --inside=FD -- PROGRAM ARG… */
static char **
make_argv (const PvLaunchInput *input, const PvFdSet *set, int args_fd, int orders_fd)
{
  GPtrArray *argv = g_ptr_array_new ();

  g_ptr_array_add (argv, g_strdup ("bwrap"));
  g_ptr_array_add (argv, g_strdup ("--args"));
  g_ptr_array_add (argv, g_strdup_printf ("%d", args_fd));
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup_printf ("/proc/self/fd/%d", set->supervise));
  g_ptr_array_add (argv, g_strdup_printf ("--inside=%d", orders_fd));
  if (!is_long (input->program))
    {
      g_ptr_array_add (argv, g_strdup ("--"));
      for (gsize i = 0; input->program[i] != NULL; i++)
        g_ptr_array_add (argv, g_strdup (input->program[i]));
    }
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (argv, FALSE);
}

/* The leases and the channels go with this process. */
static gboolean
keep_across_exec (const PvLaunchInput *input, const PvFdSet *set, GError **error)
{
  if (!pv_fd_set_inherited (set->link_outside, TRUE, error)
      || (input->copy != NULL && !pv_fd_set_inherited (input->copy->parent_fd, TRUE, error))
      || (set->parent >= 0 && !pv_fd_set_inherited (set->parent, TRUE, error))
      || (input->status_fd >= 0 && !pv_fd_set_inherited (input->status_fd, TRUE, error)))
    return FALSE;

  for (guint i = 0; i < input->leases->len; i++)
    {
      const PvLock *lock = g_ptr_array_index (input->leases, i);

      if (!pv_fd_set_inherited (pv_lock_get_fd (lock), TRUE, error))
        return FALSE;
      /* To close any fd of such a file, even by exec, would lose the lock. */
      if (pv_lock_is_process_oriented (lock)
          && (!pv_fd_set_inherited (pv_lock_get_fd (g_ptr_array_index (set->inside_leases, i)),
                                    TRUE, error)
              || !pv_fd_set_inherited (pv_lock_get_fd (g_ptr_array_index (set->program_leases, i)),
                                       TRUE, error)))
        return FALSE;
    }
  return TRUE;
}

/* What a program started before it became pv-launch.  Nearly always there is none, and one system
 * call says so. */
static char **
list_children_before (void)
{
  siginfo_t ignored;

  if (waitid (P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT) < 0)
    return g_new0 (char *, 1);
  return pv_start_list_children ();
}

/* Children that are waited for by nobody. */
static char *
list_others (const PvStarted *started, pid_t beside)
{
  g_autofree char *before = g_strjoinv (" ", started->before);

  if (beside <= 0)
    return g_steal_pointer (&before);
  return g_strdup_printf ("%s%s%d", before, before[0] != '\0' ? " " : "", beside);
}

static char **
make_outside_argv (const PvLaunchInput *input, const PvFdSet *set, const PvStarted *started,
                   pid_t beside)
{
  GPtrArray *argv = g_ptr_array_new ();
  g_autofree char *before = list_others (started, beside);

  g_ptr_array_add (argv, g_strdup ("pv-supervise"));
  g_ptr_array_add (argv, g_strdup ("--outside"));
  g_ptr_array_add (argv, g_strdup_printf ("--bwrap=%d", started->bwrap));
  g_ptr_array_add (argv, g_strdup_printf ("--inside=%d", started->inside));
  g_ptr_array_add (argv, g_strdup_printf ("--program=%d", started->program));
  g_ptr_array_add (argv, g_strdup_printf ("--link=%d", set->link_outside));
  add_timeouts (argv, input);
  if (before[0] != '\0')
    g_ptr_array_add (argv, g_strconcat ("--before=", before, NULL));
  if (set->parent >= 0)
    g_ptr_array_add (argv, g_strdup_printf ("--parent=%d", set->parent));
  if (input->status_fd >= 0)
    {
      g_ptr_array_add (argv, g_strdup_printf ("--status=%d", input->status_fd));
      g_ptr_array_add (argv, g_strdup_printf ("--began=%" G_GINT64_FORMAT, input->began));
    }
  if (input->copy != NULL)
    {
      g_autofree char *name = g_path_get_basename (input->copy->path);

      g_ptr_array_add (argv, g_strdup_printf ("--parent-of-copy=%d", input->copy->parent_fd));
      g_ptr_array_add (argv, g_strconcat ("--copy=", name, NULL));
      /* There is next to nothing in an overlay; everything else takes its time. */
      if (input->copy->overlay == PV_SYSROOT_NO_OVERLAY)
        g_ptr_array_add (argv, g_strdup ("--remove-detached"));
    }
  if (input->wrapped)
    g_ptr_array_add (argv, g_strdup ("--wrapped"));
  if (input->terminal >= 0)
    g_ptr_array_add (argv, g_strdup ("--terminal"));
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup (input->program[0]));
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (argv, FALSE);
}

/* Through the fd: it is the same file outside and inside, also while an upgrade replaces it. */
static gboolean
become_supervisor (const PvLaunchInput *input, const PvFdSet *set, const PvStarted *started,
                   GError **error)
{
  pid_t beside
      = input->on_started != NULL ? input->on_started (started->program, input->data) : 0;
  g_auto (GStrv) argv = make_outside_argv (input, set, started, beside);

  if (keep_across_exec (input, set, error))
    {
      fexecve (set->supervise, argv, input->environment);
      pv_error_set_errno (error, errno, "Cannot execute \"%s\"", input->supervise);
    }
  kill (started->bwrap, SIGKILL);
  pv_start_end_orphans (started);
  waitpid (started->bwrap, NULL, 0);
  pv_start_end_orphans (started);
  return FALSE;
}

static char **
prepare (const PvLaunchInput *input, PvFdSet *set, const sigset_t *mask, GError **error)
{
  g_autoptr (GPtrArray) args = pv_bwrap_args (input->plan, PV_BWRAP_BY_FD, NULL);
  g_autoptr (GPtrArray) orders = make_orders (input, set, mask, error);
  int args_fd, orders_fd;

  if (orders == NULL)
    return NULL;
  args_fd = pv_fd_set_add_strings (set, "bwrap-args", args, error);
  orders_fd = args_fd < 0 ? -1 : pv_fd_set_add_strings (set, "orders", orders, error);
  return orders_fd < 0 ? NULL : make_argv (input, set, args_fd, orders_fd);
}

/**
 * pv_launch_exec:
 * @input: what to start
 * @ret_status: (out): the exit status, if the program could not be started and that has been said
 *
 * Starts bubblewrap with the program, waits until the program runs, and becomes `pv-supervise`,
 * which waits for its end.
 *
 * Returns: only if the program does not run: %TRUE with @ret_status; %FALSE with @error set.
 *  %PV_ERROR_CHANGED: something was replaced between its resolution and its mount: start afresh.
 */
gboolean
pv_launch_exec (const PvLaunchInput *input, int *ret_status, GError **error)
{
  g_autoptr (PvFdSet) set = pv_fd_set_new (input, error);
  g_auto (GStrv) before = list_children_before ();
  g_auto (GStrv) argv = NULL;
  PvStarted started = { .before = before };
  sigset_t passed_on, old_mask;
  pv_autofd signals = -1;
  gboolean said = FALSE;

  sigprocmask (SIG_BLOCK, NULL, &old_mask);
  argv = set == NULL ? NULL : prepare (input, set, &old_mask, error);
  if (argv == NULL)
    return FALSE;

  /* From here on these wait for the supervisor, who passes them on; the rest keeps its meaning, so
   * that Ctrl-Z stops this process too.  What bubblewrap leaves comes to this process. */
  pv_protocol_list_signals (&passed_on);
  sigaddset (&passed_on, SIGCHLD);
  signals = signalfd (-1, &passed_on, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0)
    return pv_error_set_errno (error, errno, "Cannot listen for signals");
  sigprocmask (SIG_BLOCK, &passed_on, NULL);
  prctl (PR_SET_CHILD_SUBREAPER, 1);

  started.bwrap = pv_start_bwrap (input, set, argv, &old_mask, error);
  if (started.bwrap > 0 && pv_start_wait (input, set, &started, signals, ret_status, error))
    {
      said = *ret_status >= 0;
      if (!said)
        become_supervisor (input, set, &started, error);
    }
  sigprocmask (SIG_SETMASK, &old_mask, NULL);
  return said;
}
