/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A static program that does what its words say, one after the other, and says what signals it gets.
 *
 *   say=TEXT           write a line
 *   pid=NAME           write NAME and its pid
 *   catch=N[,N…]       write "got N" whenever signal N comes
 *   clean=N,STATUS     when N comes: write "cleaning", wait for the end of standard input, exit
 *   clean-for=N,MS,STATUS   the same, but it takes MS milliseconds
 *   go-on=N            when N comes: a child goes on, this process ends
 *   ignore=N[,N…], default=N[,N…], block=N[,N…]
 *   fork … end         a child does the words between, and ends
 *   setsid, stop, close (all fds), isatty (of 0, 1 and 2)
 *   wait               for the end of standard input
 *   pause              for ever
 *   signal=N, exit=STATUS
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int clean_ms[_NSIG];
static int clean_status[_NSIG];

static void
say (const char *name, int number)
{
  char line[256];
  int length = number < 0 ? snprintf (line, sizeof line, "%s\n", name)
                          : snprintf (line, sizeof line, "%s %d\n", name, number);

  /* One call, so that lines of several processes do not mix. */
  if (write (STDOUT_FILENO, line, (size_t) length) != length)
    errno = 0;
}

static void
wait_for_end_of_input (void)
{
  char byte;
  ssize_t got;

  while ((got = read (STDIN_FILENO, &byte, 1)) > 0 || (got < 0 && errno == EINTR))
    ;
}

static void
on_catch (int number)
{
  int before = errno;

  say ("got", number);
  errno = before;
}

static void
on_clean (int number)
{
  struct timespec left = {
    .tv_sec = clean_ms[number] / 1000,
    .tv_nsec = clean_ms[number] % 1000 * 1000000L,
  };

  say ("cleaning", number);
  if (clean_ms[number] < 0)
    wait_for_end_of_input ();
  else
    while (nanosleep (&left, &left) < 0 && errno == EINTR)
      ;
  say ("cleaned", number);
  _exit (clean_status[number]);
}

static void
on_go_on (int number)
{
  if (fork () > 0)
    _exit (0);
  say ("going on", number);
}

static void
handle (int number, void (*handler) (int))
{
  struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

  sigaction (number, &action, NULL);
}

static void
handle_each (const char *numbers, void (*handler) (int))
{
  char *end;

  for (long number = strtol (numbers, &end, 10); end != numbers;
       number = strtol (numbers, &end, 10))
    {
      handle ((int) number, handler);
      numbers = *end == ',' ? end + 1 : end;
    }
}

static void
block_each (const char *numbers)
{
  sigset_t set;
  char *end;

  sigemptyset (&set);
  for (long number = strtol (numbers, &end, 10); end != numbers;
       number = strtol (numbers, &end, 10))
    {
      sigaddset (&set, (int) number);
      numbers = *end == ',' ? end + 1 : end;
    }
  sigprocmask (SIG_BLOCK, &set, NULL);
}

static void
clean_on (const char *words, bool timed)
{
  int number = 0;
  int ms = -1;
  int status = 0;

  if (timed)
    sscanf (words, "%d,%d,%d", &number, &ms, &status);
  else
    sscanf (words, "%d,%d", &number, &status);
  clean_ms[number] = ms;
  clean_status[number] = status;
  handle (number, on_clean);
}

static void
say_ttys (void)
{
  for (int fd = 0; fd <= 2; fd++)
    say (isatty (fd) ? "tty" : "no-tty", fd);
}

static const char *
get_value (const char *word, const char *name)
{
  size_t length = strlen (name);

  return strncmp (word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

/* Returns: whether the word is one with a value */
static bool
run_with_value (const char *word)
{
  const char *value;

  if ((value = get_value (word, "say")) != NULL)
    say (value, -1);
  else if ((value = get_value (word, "pid")) != NULL)
    say (value, getpid ());
  else if ((value = get_value (word, "catch")) != NULL)
    handle_each (value, on_catch);
  else if ((value = get_value (word, "clean")) != NULL)
    clean_on (value, false);
  else if ((value = get_value (word, "clean-for")) != NULL)
    clean_on (value, true);
  else if ((value = get_value (word, "go-on")) != NULL)
    handle_each (value, on_go_on);
  else if ((value = get_value (word, "ignore")) != NULL)
    handle_each (value, SIG_IGN);
  else if ((value = get_value (word, "default")) != NULL)
    handle_each (value, SIG_DFL);
  else if ((value = get_value (word, "block")) != NULL)
    block_each (value);
  else if ((value = get_value (word, "signal")) != NULL)
    raise (atoi (value));
  else if ((value = get_value (word, "exit")) != NULL)
    exit (atoi (value));
  else
    return false;
  return true;
}

static void
run (const char *word)
{
  if (run_with_value (word))
    return;
  if (strcmp (word, "setsid") == 0)
    setsid ();
  else if (strcmp (word, "stop") == 0)
    raise (SIGSTOP);
  else if (strcmp (word, "close") == 0)
    close_range (0, ~0U, 0);
  else if (strcmp (word, "isatty") == 0)
    say_ttys ();
  else if (strcmp (word, "wait") == 0)
    wait_for_end_of_input ();
  else if (strcmp (word, "pause") == 0)
    for (;;)
      pause ();
  else
    {
      fprintf (stderr, "signal-probe: unknown word \"%s\"\n", word);
      exit (2);
    }
}

/* Returns: the word after the end that belongs to the fork before @words */
static char **
skip (char **words)
{
  for (int depth = 1; depth > 0 && *words != NULL; words++)
    depth += strcmp (*words, "fork") == 0 ? 1 : strcmp (*words, "end") == 0 ? -1 : 0;
  return words;
}

int
main (int argc, char **argv)
{
  char **words = argv + (argc > 0);

  while (*words != NULL)
    {
      const char *word = *words++;

      if (strcmp (word, "end") == 0)
        return 0;
      if (strcmp (word, "fork") != 0)
        run (word);
      else if (fork () > 0)
        words = skip (words);
    }
  return 0;
}
