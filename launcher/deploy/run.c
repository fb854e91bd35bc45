/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs pv-deploy, and ends it with this process. */
#include "deploy/run.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "helpers.h"
#include "plan/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "pv-deploy"

/* An answer is a line or two. */
#define MAX_ANSWER (64 * 1024)

/* What it said if it could not be executed; no pid of pv-deploy has this status. */
#define STATUS_NOT_EXECUTED 127

static void
add_fd (GPtrArray *argv, const char *name, int fd)
{
  if (name != NULL)
    g_ptr_array_add (argv, g_strdup_printf ("--%s=%d", name, fd));
}

static char **
make_argv (const PvDeployRun *task, int answer)
{
  GPtrArray *argv = g_ptr_array_new ();

  g_ptr_array_add (argv, g_strdup (PROGRAM));
  g_ptr_array_add (argv, g_strconcat ("--manifest=", task->manifest->path, NULL));
  g_ptr_array_add (argv, g_strconcat ("--digest=", task->manifest->digest, NULL));
  g_ptr_array_add (
      argv, g_strconcat ("--log-level=", pv_log_level_to_string (pv_log_get_level ()), NULL));
  if (task->verify)
    g_ptr_array_add (argv, g_strdup ("--verify"));
  add_fd (argv, task->option, task->fd);
  add_fd (argv, "manifest-fd", task->manifest->fd);
  add_fd (argv, "files", task->files_fd);
  add_fd (argv, "answer", answer);
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (argv, FALSE);
}

/* The loader's variables are meant for the program: see also lib/launch/start.c.  Borrows the
 * strings. */
static char **
without_loader_variables (char **environment)
{
  GPtrArray *kept = g_ptr_array_new ();

  for (gsize i = 0; environment[i] != NULL; i++)
    {
      if (!pv_environment_is_for_loader (environment[i]))
        g_ptr_array_add (kept, environment[i]);
    }
  g_ptr_array_add (kept, NULL);
  return (char **) g_ptr_array_free (kept, FALSE);
}

/* In the child: nothing but system calls.  Standard output is the program's alone. */
static void
become (const PvDeployRun *task, const char *path, char **argv, char **environment, int answer,
        pid_t parent)
{
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (prctl (PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid () != parent || null < 0
      || dup2 (null, STDIN_FILENO) < 0 || dup2 (null, STDOUT_FILENO) < 0
      || fcntl (task->manifest->fd, F_SETFD, 0) < 0 || fcntl (task->files_fd, F_SETFD, 0) < 0
      || fcntl (answer, F_SETFD, 0) < 0 || (task->fd >= 0 && fcntl (task->fd, F_SETFD, 0) < 0))
    _exit (STATUS_NOT_EXECUTED);
  execve (path, argv, environment);
  _exit (STATUS_NOT_EXECUTED);
}

static pid_t
start (const PvDeployRun *task, const char *path, int answer)
{
  g_auto (GStrv) argv = make_argv (task, answer);
  g_autofree char **environment = without_loader_variables (task->environment);
  pid_t parent = getpid ();
  pid_t pid = fork ();

  if (pid == 0)
    become (task, path, argv, environment, answer, parent);
  return pid;
}

static gboolean
check_status (const char *path, int status, GError **error)
{
  if (WIFSIGNALED (status))
    return pv_error_set (error, PV_ERROR_FAILED,
                         "Cannot deploy the runtime: \"%s\" was ended by signal %d", path,
                         WTERMSIG (status));
  if (WEXITSTATUS (status) != STATUS_NOT_EXECUTED)
    return TRUE;
  pv_error_set (error, PV_ERROR_FAILED, "Cannot execute \"%s\"", path);
  return pv_error_hint (error, "PV_LAUNCH_LIBEXECDIR names the folder where it is, if it is not "
                               "installed");
}

/**
 * pv_deploy_run:
 * @ret_answer: (out): what pv-deploy says
 *
 * Waits for its end.  If this process is killed meanwhile, pv-deploy cleans up and ends.
 *
 * Returns: %FALSE with @error set to what it could not do: %PV_ERROR_BUSY if somebody else deploys
 *  the same, or has
 */
gboolean
pv_deploy_run (const PvDeployRun *task, PvAnswer *ret_answer, GError **error)
{
  g_autofree char *path = pv_helper_get_path (PROGRAM, task->environment);
  g_autofree char *text = NULL;
  int ends[2] = { -1, -1 };
  pv_autofd from = -1;
  gsize length;
  int status;
  pid_t pid;

  if (pipe2 (ends, O_CLOEXEC) < 0)
    return pv_error_set_errno (error, errno, "Cannot create a pipe");
  from = ends[0];
  pid = start (task, path, ends[1]);
  pv_fd_clear (&ends[1]);
  if (pid < 0)
    return pv_error_set_errno (error, errno, "Cannot start \"%s\"", path);
  text = pv_fd_read_all (from, MAX_ANSWER, &length, error);
  if (TEMP_FAILURE_RETRY (waitpid (pid, &status, 0)) < 0 || text == NULL)
    return text != NULL && pv_error_set_errno (error, errno, "Cannot wait for \"%s\"", path);
  return check_status (path, status, error) && pv_answer_read (text, length, ret_answer, error);
}
