/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starts the program. */
#include "supervise/program.h"
#include "supervise/failure.h"
#include "supervise/message.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* As execvp(3): what is there but cannot be executed counts only if nothing else is found. */
static int
search_path (const char *name, char path[PATH_MAX])
{
  const char *folder = getenv ("PATH");
  int result = ENOENT;

  if (folder == NULL)
    folder = DEFAULT_PATH;
  while (folder != NULL)
    {
      const char *end = strchrnul (folder, ':');
      int length = (int) (end - folder);
      struct stat st;

      if (snprintf (path, PATH_MAX, "%.*s%s%s", length, folder, length > 0 ? "/" : "./", name)
          >= PATH_MAX)
        result = ENAMETOOLONG;
      else if (stat (path, &st) < 0 ? errno == EACCES : S_ISREG (st.st_mode))
        {
          if (access (path, X_OK) == 0)
            return 0;
          result = EACCES;
        }
      folder = *end == ':' ? end + 1 : NULL;
    }
  return result;
}

/* A name with a slash is a path.  Returns: 0 or an errno */
static int
find_program (const char *name, char path[PATH_MAX])
{
  if (strlen (name) >= PATH_MAX)
    return ENAMETOOLONG;
  if (name[0] == '\0')
    return ENOENT;
  if (strchr (name, '/') == NULL)
    return search_path (name, path);
  memcpy (path, name, strlen (name) + 1);
  return 0;
}

/* Who starts a program by posix_spawn(3) of glibc, as pv-launch does, leaves these ignored. */
static void
forget_internal_signals (void)
{
  static const int numbers[] = { 32, 33 };
  /* The kernel's struct, whatever its order, with SIG_DFL. */
  static const char by_default[64];

  for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    syscall (SYS_rt_sigaction, numbers[i], by_default, NULL, _NSIG / 8);
}

/* The child of a vfork: only system calls until it is another program.  Outside, a pid is known by
 * who sends it. */
static void
become (const char *path, char **argv, const PvOrders *orders, volatile int *failure)
{
  for (int fd = 0; orders->terminal >= 0 && fd <= STDERR_FILENO; fd++)
    dup2 (orders->terminal, fd);
  pv_message_send (orders->link, PV_MESSAGE_STARTING, 0);
  forget_internal_signals ();
  sigprocmask (SIG_SETMASK, &orders->mask, NULL);
  execv (path, argv);
  *failure = errno;
  _exit (PV_STATUS_LAUNCHER_FAILED);
}

static pid_t
start (const char *path, char **argv, const PvOrders *orders, int *ret_errno)
{
  volatile int failure = 0;
  pid_t pid = vfork ();

  if (pid == 0)
    become (path, argv, orders, &failure);
  *ret_errno = pid < 0 ? errno : failure;
  if (pid < 0 || failure == 0)
    return pid;
  /* It has let go of our memory, but may not have ended yet: nobody is to be left behind. */
  PV_RETRY (waitpid (pid, NULL, 0));
  return -1;
}

/* A script without #! is run by the shell, as execvp(3) and every shell do. */
static pid_t
start_with_shell (const char *path, const PvOrders *orders, int *ret_errno)
{
  char **argv = orders->program;
  size_t count = 0;
  char **with_shell;

  while (argv[count] != NULL)
    count++;
  with_shell = calloc (count + 2, sizeof *with_shell);
  if (with_shell == NULL)
    {
      *ret_errno = ENOMEM;
      return -1;
    }
  with_shell[0] = (char *) "/bin/sh";
  with_shell[1] = (char *) path;
  memcpy (with_shell + 2, argv + 1, (count - 1) * sizeof *argv);
  return start ("/bin/sh", with_shell, orders, ret_errno);
}

/**
 * pv_program_start:
 * @orders: the program, its arguments, its terminal and its signal mask
 * @ret_status: (out): set if it could not be started: 126 or 127, as env(1)
 *
 * Starts the program; if that fails, says why in one line.
 *
 * Returns: its pid, or -1
 */
pid_t
pv_program_start (const PvOrders *orders, int *ret_status)
{
  char **argv = orders->program;
  char path[PATH_MAX] = "";
  int failure = find_program (argv[0], path);
  pid_t pid = -1;

  if (failure == 0)
    pid = start (path, argv, orders, &failure);
  if (failure == ENOEXEC && pv_failure_is_script (path))
    pid = start_with_shell (path, orders, &failure);
  if (failure == 0)
    return pid;

  *ret_status = pv_failure_explain (argv[0], path, failure);
  return -1;
}
