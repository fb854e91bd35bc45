/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A static program that says what it sees from where it runs; the tests put it into containers.
 *
 *   probe [--wait] args [ARG…]   its arguments, each with a NUL
 *   probe [--wait] fds           its fds, one a line: number, device:inode, target
 *   probe [--wait] cat FILE      the contents of a file
 *   probe [--wait] stat FILE     device:inode
 *   probe [--wait] lease         device:inode of /usr/.ref, then its fds as above
 *   probe [--wait] unlock        unlocks every fd above 2
 *   probe [--wait] lock FILE     tries a shared, then an exclusive lock without waiting: yes or no
 *   probe orphan                 leaves a child that keeps only standard input, until its end, and
 *                                ends with status 5; the child says "ready" after that
 *   probe [--wait] connect PATH  connects to a socket
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

static void
wait_for_end_of_input (void)
{
  char byte;

  while (read (STDIN_FILENO, &byte, 1) > 0)
    ;
}

static int
leave_orphan (void)
{
  int life[2];
  char byte;
  pid_t pid;

  if (pipe (life) < 0 || (pid = fork ()) < 0)
    return fail ("fork");
  if (pid > 0)
    return 5;
  setsid ();
  close (life[1]);
  if (read (life[0], &byte, 1) != 0 || write (STDOUT_FILENO, "ready\n", 6) != 6)
    _exit (1);
  close_range (1, ~0U, 0);
  wait_for_end_of_input ();
  _exit (0);
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
  if (strcmp (command, "lock") == 0)
    return print_locks (argument);
  if (strcmp (command, "connect") == 0)
    return connect_to (argument);
  if (strcmp (command, "write") == 0)
    return write_to (argument);
  if (strcmp (command, "orphan") == 0)
    return leave_orphan ();
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
