/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program with an interactive shell, and both of them in a terminal: as words that make it so. */
#include "plan/interactive.h"

#define SHELL "/bin/sh"
#define HINT "echo 'hint: --terminal=tty uses the terminal that pv-launch was started from' >&2"

/* $1: none, after, fail or instead; $2: the terminal; the rest: the program.
 *
 * Variables of the shell that are in its environment too would reach the program: their names must
 * be nobody else's.  "exec" finds a program even if the shell has a command of that name; not
 * every shell's knows "--".  What the
 * terminal or the caller sends is for the program: the shell that waits for it must survive, to
 * return its status; and a trap, unlike "ignore", is not inherited.  Only if the terminal hangs up
 * must it end, as the leader of the session, or nobody else would be told.
 *
 * The xterm is the parent of this shell, and its standard output a pipe to RUN_XTERM: there, and
 * nowhere else, a status can be said, without an fd that the program would inherit.  The first one
 * is what counts if the window is closed: SIGHUP. */
static const char run_shell[] =
    "_pv_launch_shell=$1 _pv_launch_terminal=$2 _pv_launch_status=129 _pv_launch_ended=\n"
    "shift 2\n"
    "trap : INT QUIT USR1 USR2\n"
    "trap '_pv_launch_ended=1' TERM\n"
    "_pv_launch_report () {\n"
    "  [ \"$_pv_launch_terminal\" != xterm ] || echo \"$_pv_launch_status\" >\"/proc/$PPID/fd/1\"\n"
    "}\n"
    "_pv_launch_report\n"
    "if [ \"$_pv_launch_shell\" = instead ]; then\n"
    "  echo 'pv-launch: The program was not run; \"$@\" runs it'\n"
    "else\n"
    "  (case $1 in -*)\n"
    "    _pv_launch_found=$(command -v -- \"$1\") || exit 127\n"
    "    shift\n"
    "    set -- \"$_pv_launch_found\" \"$@\" ;;\n"
    "  esac\n"
    "  exec \"$@\")\n"
    "  _pv_launch_status=$?\n"
    "  _pv_launch_report\n"
    "  case $_pv_launch_shell,$_pv_launch_status,$_pv_launch_ended in\n"
    "    none,* | fail,0,* | *,1) exit \"$_pv_launch_status\" ;;\n"
    "  esac\n"
    "  echo \"pv-launch: The program ended with status $_pv_launch_status;"
    " \\\"\\$@\\\" runs it again\"\n"
    "fi\n"
    "trap - TERM\n"
    "if command -v bash >/dev/null; then\n"
    "  bash -i -s -- \"$@\"\n"
    "else\n"
    "  " SHELL " -i -s -- \"$@\"\n"
    "fi\n"
    "_pv_launch_left=$?\n"
    "[ \"$_pv_launch_shell\" != instead ] || _pv_launch_status=$_pv_launch_left\n"
    "_pv_launch_report\n"
    "exit \"$_pv_launch_status\"\n";

/* The arguments: what is to be run in the window; it says its status, maybe several times: the last
 * one counts.  If it says nothing, xterm could not start it. */
static const char run_xterm[] =
    "command -v xterm >/dev/null || {\n"
    "  echo 'pv-launch: Cannot find program \"xterm\" in the container' >&2\n"
    "  " HINT "\n"
    "  exit 127\n"
    "}\n"
    "_pv_launch_status=$(exec xterm -e \"$@\") || _pv_launch_failed=$?\n"
    "_pv_launch_status=${_pv_launch_status##*[!0-9]}\n"
    "[ -n \"$_pv_launch_status\" ] || {\n"
    "  echo \"pv-launch: Cannot open an xterm: it ended with status ${_pv_launch_failed-0}\" >&2\n"
    "  " HINT "\n"
    "  exit 125\n"
    "}\n"
    "exit \"$_pv_launch_status\"\n";

/**
 * pv_shell_to_string:
 *
 * Returns: (transfer none): as it is said with `--shell`
 */
const char *
pv_shell_to_string (PvShell shell)
{
  static const char *const names[] = {
    [PV_SHELL_NONE] = "none",
    [PV_SHELL_AFTER] = "after",
    [PV_SHELL_FAIL] = "fail",
    [PV_SHELL_INSTEAD] = "instead",
  };

  return names[shell];
}

static void
add (GPtrArray *words, const char *word)
{
  g_ptr_array_add (words, g_strdup (word));
}

/* The name is what the shell puts in front of its own messages. */
static void
add_script (GPtrArray *words, const char *script)
{
  add (words, SHELL);
  add (words, "-c");
  add (words, script);
  add (words, "pv-launch");
}

/**
 * pv_interactive_wrap:
 * @program: (array zero-terminated=1): a program and its arguments
 * @shell: when there is a shell; not without a terminal
 * @terminal: where; for %PV_TERMINAL_TTY whoever runs the result makes it the standard input,
 *  output and error
 *
 * The status of the result is that of @program; for %PV_SHELL_INSTEAD that of the shell.
 *
 * Returns: (transfer full) (array zero-terminated=1): what is to be run instead of @program, maybe
 *  the same
 */
char **
pv_interactive_wrap (char **program, PvShell shell, PvTerminal terminal)
{
  GPtrArray *words;

  if (terminal != PV_TERMINAL_XTERM && shell == PV_SHELL_NONE)
    return g_strdupv (program);

  words = g_ptr_array_new ();
  if (terminal == PV_TERMINAL_XTERM)
    add_script (words, run_xterm);
  add_script (words, run_shell);
  add (words, pv_shell_to_string (shell));
  add (words, terminal == PV_TERMINAL_XTERM ? "xterm" : "tty");
  for (gsize i = 0; program[i] != NULL; i++)
    add (words, program[i]);
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_free (words, FALSE);
}
