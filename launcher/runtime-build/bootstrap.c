/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bootstrap.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 200
#define STOP_TICKS (20 * 1000 / TICK_MS)
#define LOG_LIMIT (64 * 1024) /* bytes that are kept */

/* Makes /bin, /lib, … links before anything is unpacked. */
#define MERGE_HOOK "/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh"

struct _PvBootstrap
{
  GPid pid;    /* 0: already reaped */
  int status;  /* of wait(2), once it is reaped */
  int tar_fd;
  int log_fd;
  int signal_fd;        /* borrowed */
  int signal;           /* that asked us to stop; 0: none */
  PvProgress *progress; /* borrowed */
  GString *line;        /* of the log, not yet complete */
  GString *log;         /* its last lines */
  char *problem;        /* the first error that it reported */
  char *tmp_dir;        /* for its temporary files, absolute */
};

static void
add_list (GPtrArray *argv, const char *option, char **list)
{
  if (list[0] != NULL)
    {
      g_autofree char *joined = g_strjoinv (",", list);

      g_ptr_array_add (argv, g_strconcat (option, joined, NULL));
    }
}

/**
 * pv_bootstrap_get_argv:
 * @recipe: what to build
 * @layout: for which layout
 * @architecture: as dpkg calls it
 * @mirror: (nullable): instead of the recipe's
 * @privileged: the caller is root
 *
 * Returns: (transfer full): the command line
 */
char **
pv_bootstrap_get_argv (const PvRecipe *recipe, PvLayout layout, const char *architecture,
                       const char *mirror, gboolean privileged)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (argv, g_strdup ("mmdebstrap"));
  /* The modes that it would choose otherwise do not give a usable system. */
  if (!privileged)
    g_ptr_array_add (argv, g_strdup ("--mode=unshare"));
  g_ptr_array_add (argv, g_strdup ("--format=tar"));
  g_ptr_array_add (argv, g_strconcat ("--architectures=", architecture, NULL));
  g_ptr_array_add (argv, g_strconcat ("--variant=", recipe->variant, NULL));
  add_list (argv, "--include=", recipe->packages);
  add_list (argv, "--components=", recipe->components);
  if (recipe->merge_usr == PV_MERGE_USR_ALWAYS
      || (recipe->merge_usr == PV_MERGE_USR_LAYOUT && layout == PV_LAYOUT_USR))
    g_ptr_array_add (argv, g_strdup ("--setup-hook=" MERGE_HOOK));
  for (gsize i = 0; recipe->options[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (recipe->options[i]));

  g_ptr_array_add (argv, g_strdup (recipe->suite));
  g_ptr_array_add (argv, g_strdup ("-"));
  if (mirror == NULL)
    mirror = recipe->mirror;
  if (mirror != NULL)
    g_ptr_array_add (argv, g_strdup (mirror));
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}

/* mmdebstrap signals its whole process group, so it gets one of its own. */
static void
prepare_child (gpointer data G_GNUC_UNUSED)
{
  sigset_t none;

  setpgid (0, 0);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

static char **
get_environment (const char *tmp_dir)
{
  char **environment = g_get_environ ();
  const char *path = g_environ_getenv (environment, "PATH");
  g_autofree char *longer = g_strconcat (path != NULL ? path : "/usr/local/bin:/usr/bin:/bin",
                                         ":/usr/local/sbin:/usr/sbin:/sbin", NULL);

  environment = g_environ_setenv (environment, "PATH", longer, TRUE);
  environment = g_environ_setenv (environment, "TMPDIR", tmp_dir, TRUE);
  return g_environ_setenv (environment, "LC_ALL", "C.UTF-8", TRUE);
}

/* It does not always clean up when it is stopped early.  As an ordinary user it becomes somebody
 * else, who must be able to enter the folder. */
static char *
make_tmp_dir (GError **error)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "pv-runtime-build-XXXXXX", NULL);

  if (g_mkdtemp (path) == NULL || chmod (path, 0755) < 0)
    {
      pv_error_set_errno (error, errno, "Cannot create folder \"%s\"", path);
      return NULL;
    }
  return g_steal_pointer (&path);
}

static void
remove_tmp_dir (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  pv_autofd fd = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) local_error = NULL;

  if (fd >= 0 && !pv_tree_remove_at (fd, name, &local_error))
    pv_warning ("%s, ignoring", local_error->message);
}

/**
 * pv_bootstrap_start:
 * @argv: (array zero-terminated=1): the command line
 * @signal_fd: a signalfd of the signals that stop the build; must outlive the bootstrap
 * @progress: is told how far it is; must outlive the bootstrap
 *
 * Returns: (transfer full): a running mmdebstrap, or %NULL with @error set
 */
PvBootstrap *
pv_bootstrap_start (char **argv, int signal_fd, PvProgress *progress, GError **error)
{
  g_autoptr (PvBootstrap) bootstrap = g_new0 (PvBootstrap, 1);
  g_auto (GStrv) environment = NULL;
  g_autoptr (GError) local_error = NULL;

  bootstrap->tar_fd = bootstrap->log_fd = -1;
  bootstrap->signal_fd = signal_fd;
  bootstrap->progress = progress;
  bootstrap->line = g_string_new (NULL);
  bootstrap->log = g_string_new (NULL);
  bootstrap->tmp_dir = make_tmp_dir (error);
  if (bootstrap->tmp_dir == NULL)
    return NULL;

  environment = get_environment (bootstrap->tmp_dir);
  if (!g_spawn_async_with_pipes (NULL, argv, environment,
                                 G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH_FROM_ENVP,
                                 prepare_child, NULL, &bootstrap->pid, NULL, &bootstrap->tar_fd,
                                 &bootstrap->log_fd, &local_error))
    {
      bootstrap->pid = 0;
      pv_error_set (error, PV_ERROR_NOT_FOUND, "Cannot run \"%s\": %s", argv[0],
                    local_error->message);
      pv_error_hint (error, "install mmdebstrap (apt install mmdebstrap)");
      return NULL;
    }
  /* The pipes are ours alone, the child has been executed by now. */
  fcntl (bootstrap->tar_fd, F_SETFD, FD_CLOEXEC);
  fcntl (bootstrap->log_fd, F_SETFD, FD_CLOEXEC);
  return g_steal_pointer (&bootstrap);
}

static void
keep_line (PvBootstrap *bootstrap, char *text)
{
  g_string_append_printf (bootstrap->log, "%s\n", text);
  if (bootstrap->log->len > LOG_LIMIT)
    {
      const char *end = memchr (bootstrap->log->str + bootstrap->log->len - LOG_LIMIT, '\n',
                                LOG_LIMIT);

      g_string_erase (bootstrap->log, 0, end + 1 - bootstrap->log->str);
    }

  /* What it does ends with dots; the rest of what it says is for those who look for a fault. */
  if (g_str_has_prefix (text, "I: ") && g_str_has_suffix (text, "...")
      && strstr (text, "tempdir") == NULL && strstr (text, "received signal") == NULL)
    {
      text[strlen (text) - 3] = '\0';
      pv_progress_set_stage (bootstrap->progress, text + 3);
    }
  else if (g_str_has_prefix (text, "E: ") && bootstrap->problem == NULL)
    {
      bootstrap->problem = g_strdup (text + 3);
    }
}

/* Returns: FALSE at the end of the log */
static gboolean
read_log (PvBootstrap *bootstrap)
{
  char buffer[4096];
  ssize_t got = TEMP_FAILURE_RETRY (read (bootstrap->log_fd, buffer, sizeof buffer));

  if (got <= 0)
    {
      pv_fd_clear (&bootstrap->log_fd);
      return FALSE;
    }
  for (ssize_t i = 0; i < got; i++)
    {
      if (buffer[i] != '\n' && buffer[i] != '\r' && buffer[i] != '\0')
        {
          g_string_append_c (bootstrap->line, buffer[i]);
        }
      else if (bootstrap->line->len > 0)
        {
          keep_line (bootstrap, bootstrap->line->str);
          g_string_truncate (bootstrap->line, 0);
        }
    }
  return TRUE;
}

static gboolean
reap (PvBootstrap *bootstrap)
{
  if (bootstrap->pid != 0
      && TEMP_FAILURE_RETRY (waitpid (bootstrap->pid, &bootstrap->status, WNOHANG)) != 0)
    bootstrap->pid = 0;
  return bootstrap->pid == 0;
}

/* Waits for a moment, and sees to all but the archive.
 * Returns: whether the archive can be read */
static gboolean
pump (PvBootstrap *bootstrap)
{
  struct pollfd fds[] = {
    { .fd = bootstrap->tar_fd, .events = POLLIN },
    { .fd = bootstrap->log_fd, .events = POLLIN },
    { .fd = bootstrap->signal == 0 ? bootstrap->signal_fd : -1, .events = POLLIN },
  };

  pv_progress_tick (bootstrap->progress);
  if (poll (fds, G_N_ELEMENTS (fds), TICK_MS) < 0)
    return FALSE;
  if (fds[1].revents != 0)
    read_log (bootstrap);
  if (fds[2].revents != 0)
    {
      struct signalfd_siginfo info;

      if (read (bootstrap->signal_fd, &info, sizeof info) == sizeof info)
        bootstrap->signal = (int) info.ssi_signo;
    }
  return fds[0].revents != 0;
}

/**
 * pv_bootstrap_read:
 * @buffer: (out): where to put a part of the archive
 * @size: of @buffer, in bytes
 *
 * Returns: the number of bytes, 0 at the end, -1 with @error set if a signal stops the build
 */
gssize
pv_bootstrap_read (PvBootstrap *bootstrap, gpointer buffer, gsize size, GError **error)
{
  gboolean ready = FALSE;
  ssize_t got;

  while (!ready && bootstrap->signal == 0)
    ready = pump (bootstrap);
  if (bootstrap->signal != 0)
    {
      pv_error_set (error, PV_ERROR_FAILED, "Stopped by %s", strsignal (bootstrap->signal));
      return -1;
    }
  got = TEMP_FAILURE_RETRY (read (bootstrap->tar_fd, buffer, size));
  if (got < 0)
    pv_error_set_errno (error, errno, "Cannot read the archive");
  return got;
}

static gboolean
set_failed (const PvBootstrap *bootstrap, GError **error)
{
  if (bootstrap->problem != NULL)
    return pv_error_set (error, PV_ERROR_FAILED, "mmdebstrap: %s", bootstrap->problem);
  if (WIFSIGNALED (bootstrap->status))
    return pv_error_set (error, PV_ERROR_FAILED, "mmdebstrap: %s",
                         strsignal (WTERMSIG (bootstrap->status)));
  return pv_error_set (error, PV_ERROR_FAILED, "mmdebstrap ended with status %d",
                       WEXITSTATUS (bootstrap->status));
}

/**
 * pv_bootstrap_finish:
 *
 * Waits until mmdebstrap has ended.  What is left of the archive is not wanted any more.
 *
 * Returns: whether it was successful; if not, @error has the first thing that it complained about
 */
gboolean
pv_bootstrap_finish (PvBootstrap *bootstrap, GError **error)
{
  char rest[4096];

  while (!reap (bootstrap) && bootstrap->signal == 0)
    {
      if (pump (bootstrap)
          && TEMP_FAILURE_RETRY (read (bootstrap->tar_fd, rest, sizeof rest)) <= 0)
        pv_fd_clear (&bootstrap->tar_fd);
    }
  if (bootstrap->signal != 0)
    return pv_error_set (error, PV_ERROR_FAILED, "Stopped by %s", strsignal (bootstrap->signal));

  /* What it wrote last; a process that it left behind may keep the pipe open. */
  if (bootstrap->log_fd >= 0)
    {
      fcntl (bootstrap->log_fd, F_SETFL, O_NONBLOCK);
      while (read_log (bootstrap))
        ;
    }
  return (WIFEXITED (bootstrap->status) && WEXITSTATUS (bootstrap->status) == 0)
         || set_failed (bootstrap, error);
}

/**
 * pv_bootstrap_get_signal:
 *
 * Returns: the number of the signal that stopped the build, or 0
 */
int
pv_bootstrap_get_signal (const PvBootstrap *bootstrap)
{
  return bootstrap->signal;
}

/**
 * pv_bootstrap_get_log:
 *
 * Returns: (transfer none): the last lines of mmdebstrap's own output
 */
const char *
pv_bootstrap_get_log (PvBootstrap *bootstrap)
{
  return bootstrap->log->str;
}

/* It deletes its temporary folder when it is asked to stop. */
static void
stop (PvBootstrap *bootstrap)
{
  pid_t group = bootstrap->pid;

  pv_fd_clear (&bootstrap->tar_fd);
  if (reap (bootstrap))
    return;
  pv_progress_set_stage (bootstrap->progress, "stopping mmdebstrap");
  kill (-group, SIGTERM);
  for (int i = 0; i < STOP_TICKS && !reap (bootstrap); i++)
    {
      if (bootstrap->log_fd >= 0)
        pump (bootstrap);
      else
        g_usleep (TICK_MS * 1000);
    }
  if (bootstrap->pid == 0)
    return;
  kill (-group, SIGKILL);
  TEMP_FAILURE_RETRY (waitpid (group, &bootstrap->status, 0));
  bootstrap->pid = 0;
}

/**
 * pv_bootstrap_free:
 * @bootstrap: (nullable): stopped if it still runs
 */
void
pv_bootstrap_free (PvBootstrap *bootstrap)
{
  if (bootstrap == NULL)
    return;
  if (bootstrap->pid != 0)
    stop (bootstrap);
  pv_fd_clear (&bootstrap->tar_fd);
  pv_fd_clear (&bootstrap->log_fd);
  g_string_free (bootstrap->line, TRUE);
  g_string_free (bootstrap->log, TRUE);
  g_free (bootstrap->problem);
  if (bootstrap->tmp_dir != NULL)
    remove_tmp_dir (bootstrap->tmp_dir);
  g_free (bootstrap->tmp_dir);
  g_free (bootstrap);
}
