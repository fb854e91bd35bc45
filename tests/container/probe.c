/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A static program that says what it sees from where it runs; the tests put it into containers.
 *
 *   probe [--wait] args [ARG…]   its arguments, each with a NUL
 *   probe [--wait] fds           its fds, one a line: number, device:inode, target
 *   probe [--wait] cat FILE      the contents of a file
 *   probe [--wait] stat FILE     device:inode
 *   probe [--wait] lease         device:inode of /usr/.ref, then its fds as above
 *   probe [--wait] unlock        unlocks every fd above 2
 *   probe [--wait] close         closes every fd above 2
 *   probe [--wait] convert       tries to lock every fd above 2 exclusively, the same with a lock
 *                                of its own, and that shared: the error's number or 0, one a line
 *   probe [--wait] lock FILE     tries a shared, then an exclusive lock without waiting: yes or no
 *   probe orphan [STATUS]        leaves a child that keeps only standard input, until its end, and
 *                                ends with status 5; the child says "ready" after that
 *   probe subreaper [STATUS]     the same with a grandchild, which is this process's orphan first
 *   probe [--wait] background KEPT MS STATUS   leaves a grandchild in a session of its own, for so
 *                                long; it keeps nothing, or with KEPT = lease the fds above 2
 *   probe [--wait] many COUNT    leaves so many grandchildren, which end at once
 *   probe [--wait] stop          stops its parent
 *   probe [--wait] ignore COMMAND [ARG…]   ignores SIGTERM, and does that
 *   probe [--wait] connect PATH  connects to a socket
 *   probe look MS FILE…          looks for the files all the time, for so long, and at its end
 *   probe [--wait] write FILE    writes into it, or creates it; else prints the error's number
 *   probe exit STATUS, probe signal NUMBER
 *
 * --wait: says "ready", and goes on when standard input ends. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int
fail (const char *what)
{
  fprintf (stderr, "probe: %s: %s\n", what, strerror (errno));
  return 1;
}

static int
print_args (int argc, char **argv)
{
  for (int i = 0; i < argc; i++)
    {
      fputs (argv[i], stdout);
      putchar ('\0');
    }
  return 0;
}

/* Calls @visit for each fd but the one that is needed to list them. */
static int
for_each_fd (void (*visit) (int fd))
{
  DIR *folder = opendir ("/proc/self/fd");
  const struct dirent *entry;

  if (folder == NULL)
    return fail ("/proc/self/fd");
  while ((entry = readdir (folder)) != NULL)
    {
      if (entry->d_name[0] != '.' && atoi (entry->d_name) != dirfd (folder))
        visit (atoi (entry->d_name));
    }
  closedir (folder);
  return 0;
}

static void
print_fd (int fd)
{
  char link[64];
  char target[4096];
  ssize_t length;
  struct stat st;

  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink (link, target, sizeof target);
  if (length >= 0 && fstat (fd, &st) == 0)
    printf ("%d %ju:%ju %.*s\n", fd, (uintmax_t) st.st_dev, (uintmax_t) st.st_ino, (int) length,
            target);
}

static void
unlock_fd (int fd)
{
  struct flock whole_file = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

  if (fd <= 2)
    return;
  fcntl (fd, F_OFD_SETLK, &whole_file);
  fcntl (fd, F_SETLK, &whole_file);
}

static void
close_fd (int fd)
{
  if (fd > 2)
    close (fd);
}

static void
convert_fd (int fd)
{
  static const struct
  {
    int command;
    short type;
  } tries[] = { { F_OFD_SETLK, F_WRLCK }, { F_SETLK, F_WRLCK }, { F_SETLK, F_RDLCK } };

  for (unsigned i = 0; i < sizeof tries / sizeof tries[0] && fd > 2; i++)
    {
      struct flock whole_file = { .l_type = tries[i].type, .l_whence = SEEK_SET };

      printf ("%d\n", fcntl (fd, tries[i].command, &whole_file) < 0 ? errno : 0);
    }
}

static int
print_file (const char *path)
{
  char buffer[65536];
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t got;

  if (fd < 0)
    return fail (path);
  while ((got = read (fd, buffer, sizeof buffer)) > 0)
    fwrite (buffer, 1, (size_t) got, stdout);
  close (fd);
  return got < 0 ? fail (path) : 0;
}

static int
print_inode (const char *path)
{
  struct stat st;

  if (stat (path, &st) < 0)
    return fail (path);
  printf ("%ju:%ju\n", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
  return 0;
}

/* The fds stay open, and so do the locks. */
static bool
try_lock (const char *path, int access, short type)
{
  struct flock whole_file = { .l_type = type, .l_whence = SEEK_SET };
  int fd = open (path, access | O_CLOEXEC);

  return fd >= 0 && fcntl (fd, F_OFD_SETLK, &whole_file) == 0;
}

static int
print_locks (const char *path)
{
  bool shared = try_lock (path, O_RDONLY, F_RDLCK);
  bool exclusive = try_lock (path, O_RDWR, F_WRLCK);

  printf ("shared %s, exclusive %s\n", shared ? "yes" : "no", exclusive ? "yes" : "no");
  return 0;
}

static int
connect_to (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  snprintf (address.sun_path, sizeof address.sun_path, "%s", path);
  if (fd < 0 || connect (fd, (const struct sockaddr *) &address, sizeof address) < 0)
    return fail (path);
  close (fd);
  return 0;
}

static int
write_to (const char *path)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

  if (fd < 0 || write (fd, "written", 7) != 7)
    printf ("%d\n", errno);
  else
    puts ("written");
  return 0;
}

static int
look_for (int argc, char **argv)
{
  struct timespec now, end;
  int missing = 0;
  bool over = false;

  clock_gettime (CLOCK_MONOTONIC, &end);
  end.tv_nsec += atol (argv[1]) * 1000000;
  while (!over && missing == 0)
    {
      clock_gettime (CLOCK_MONOTONIC, &now);
      over = (now.tv_sec - end.tv_sec) * 1000000000 + now.tv_nsec - end.tv_nsec > 0;
      for (int i = 2; i < argc; i++)
        {
          if (access (argv[i], F_OK) < 0)
            missing = fail (argv[i]);
        }
      nanosleep (&(struct timespec) { .tv_nsec = 500000 }, NULL);
    }
  return missing;
}

static void
wait_for_end_of_input (void)
{
  char byte;

  while (read (STDIN_FILENO, &byte, 1) > 0)
    ;
}

/* Returns: 0 in the child, in @generations forks' distance, 1 in this process; -1 */
static int
leave_child (int generations)
{
  pid_t pid = fork ();

  if (pid == 0 && generations > 1 && (pid = fork ()) != 0)
    _exit (pid < 0);
  if (pid > 0 && generations > 1)
    waitpid (pid, NULL, 0);
  return pid > 0 ? 1 : (int) pid;
}

static int
leave_orphan (const char *status, int generations)
{
  int life[2];
  char byte;
  int place;

  if (pipe (life) < 0 || (place = leave_child (generations)) < 0)
    return fail ("fork");
  if (place > 0)
    return status[0] != '\0' ? atoi (status) : 5;
  setsid ();
  close (life[1]);
  if (read (life[0], &byte, 1) != 0 || write (STDOUT_FILENO, "ready\n", 6) != 6)
    _exit (1);
  close_range (1, ~0U, 0);
  wait_for_end_of_input ();
  _exit (0);
}

static int
leave_subreaper_orphan (const char *status)
{
  if (prctl (PR_SET_CHILD_SUBREAPER, 1) < 0)
    return fail ("prctl");
  return leave_orphan (status, 2);
}

static int
leave_background (int argc, char **argv)
{
  bool keeps_lease = argc > 1 && strcmp (argv[1], "lease") == 0;
  long ms = argc > 2 ? atol (argv[2]) : 0;
  struct timespec left = { ms / 1000, ms % 1000 * 1000000 };
  int place = leave_child (2);

  if (place < 0)
    return fail ("fork");
  if (place > 0)
    return argc > 3 ? atoi (argv[3]) : 0;
  setsid ();
  close_range (0, keeps_lease ? 2 : ~0U, 0);
  while (nanosleep (&left, &left) < 0)
    ;
  _exit (0);
}

static int
leave_many (int count)
{
  for (int i = 0; i < count; i++)
    {
      int place = leave_child (2);

      if (place == 0)
        _exit (0);
      if (place < 0)
        return fail ("fork");
    }
  return 0;
}

static int
run (int argc, char **argv)
{
  const char *command = argv[0];
  const char *argument = argc > 1 ? argv[1] : "";

  if (strcmp (command, "args") == 0)
    return print_args (argc - 1, argv + 1);
  if (strcmp (command, "fds") == 0)
    return for_each_fd (print_fd);
  if (strcmp (command, "cat") == 0)
    return print_file (argument);
  if (strcmp (command, "stat") == 0)
    return print_inode (argument);
  if (strcmp (command, "lease") == 0)
    return print_inode ("/usr/.ref") == 0 ? for_each_fd (print_fd) : 1;
  if (strcmp (command, "unlock") == 0)
    return for_each_fd (unlock_fd);
  if (strcmp (command, "close") == 0)
    return for_each_fd (close_fd);
  if (strcmp (command, "convert") == 0)
    return for_each_fd (convert_fd);
  if (strcmp (command, "lock") == 0)
    return print_locks (argument);
  if (strcmp (command, "connect") == 0)
    return connect_to (argument);
  if (strcmp (command, "look") == 0 && argc > 2)
    return look_for (argc, argv);
  if (strcmp (command, "write") == 0)
    return write_to (argument);
  if (strcmp (command, "orphan") == 0)
    return leave_orphan (argument, 1);
  if (strcmp (command, "subreaper") == 0)
    return leave_subreaper_orphan (argument);
  if (strcmp (command, "background") == 0)
    return leave_background (argc, argv);
  if (strcmp (command, "many") == 0)
    return leave_many (atoi (argument));
  if (strcmp (command, "stop") == 0)
    return kill (getppid (), SIGSTOP) == 0 ? 0 : fail ("kill");
  if (strcmp (command, "ignore") == 0 && signal (SIGTERM, SIG_IGN) != SIG_ERR)
    return argc > 1 ? run (argc - 1, argv + 1) : 0;
  if (strcmp (command, "exit") == 0)
    return atoi (argument);
  if (strcmp (command, "signal") == 0)
    return raise (atoi (argument));
  fprintf (stderr, "probe: unknown command \"%s\"\n", command);
  return 2;
}

int
main (int argc, char **argv)
{
  bool wait = argc > 1 && strcmp (argv[1], "--wait") == 0;
  int first = wait ? 2 : 1;
  int status = argc > first ? run (argc - first, argv + first) : 0;

  if (wait)
    {
      puts ("ready");
      fflush (stdout);
      wait_for_end_of_input ();
    }
  return status;
}
