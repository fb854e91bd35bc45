#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--shell, --terminal and --batch: with the terminals and the X server that they are made for."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import termios

import harness

# What a shell must not take for its own, and a terminal must not change.
ODD = [b"a b", b"new\nline\n", b"", b"-n", b"--", b"'\"\\$HOME`id`*", b"\xff\xfe", b""]

AGAIN = b'"$@" runs it again'
INTERRUPT = b"\x03"
STOP = b"\x1a"


def follow(pid, names):
    """The descendants of @pid that are called so."""
    for child in harness.list_descendants(pid):
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{child}/comm").read_text().strip() in names:
                yield child


def wait_for_supervisor(pid):
    """Until then the launcher is there, even if the program runs already: a signal ends it."""
    while pathlib.Path(f"/proc/{pid}/comm").read_text().strip() != "pv-supervise":
        os.sched_yield()


class Terminal:
    """A pseudo-terminal, as the user sees it."""

    def __init__(self, case):
        self.case = case
        self.screen, self.line = pty.openpty()
        case.addCleanup(os.close, self.screen)
        case.addCleanup(os.close, self.line)
        self.process = None
        self.text = b""

    def control(self):
        """In a child: a session of its own, which this terminal controls."""
        os.setsid()
        fcntl.ioctl(self.line, termios.TIOCSCTTY, 0)

    def start(self, *arguments, **others):
        """None of the standard ones leads to the terminal."""
        self.process = self.case.start(*arguments, preexec_fn=self.control, **others)
        return self.process

    def expect(self, wanted):
        """Reads until @wanted; it is forgotten with all before it, which is returned."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while wanted not in self.text:
                ready = select.select([self.screen, pidfd], [], [])[0]
                if self.screen not in ready:
                    self.fail_without(wanted)
                self.text += os.read(self.screen, 4096)
        except TimeoutError as error:
            raise TimeoutError(f"no {wanted} in {self.text}: {error}") from None
        finally:
            os.close(pidfd)
        before, _, self.text = self.text.partition(wanted)
        return before

    def fail_without(self, wanted):
        errors = self.process.stderr.read() if self.process.stderr is not None else b""
        self.case.fail(f"no {wanted} in {self.text}, {errors}")

    def type(self, text):
        os.write(self.screen, text)

    def read_rest(self):
        """What is there after the end of the process."""
        while select.select([self.screen], [], [], 0)[0]:
            self.text += os.read(self.screen, 4096)
        return self.text

    def finish(self, status):
        """Nothing of the program has gone where the caller's streams lead."""
        result = self.case.finish(self.process)
        self.case.assertEqual((result.status, result.out, result.err), (status, b"", ""))


class InteractiveCase(harness.Case):
    extra_environment = {"TERM": "dumb"}

    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self)

    def open_shell(self, *arguments, shell="after", **others):
        self.terminal.start(f"--shell={shell}", "--terminal=tty", *arguments, **others)


class TtyTest(InteractiveCase):
    def test_streams(self):
        for option in ("--share-pid", "--unshare-pid"):
            with self.subTest(option):
                self.terminal.start(
                    "--terminal=tty", option, "--", "sh", "-c",
                    "test -t 0 && test -t 1 && test -t 2 && read word </dev/tty && "
                    "echo \"got $word\" && read word && echo \"again $word\" >&2; exit 7",
                    stdin=subprocess.DEVNULL)
                self.terminal.type(b"one\n")
                self.terminal.expect(b"got one")
                self.terminal.type(b"two\n")
                self.terminal.expect(b"again two")
                self.terminal.finish(7)

    def test_fds(self):
        """The program has the terminal three times, and the supervisors do not have it."""
        files = self.make_runtime()
        process = self.terminal.start("--runtime=scout", "--terminal=tty", "--", "probe",
                                      "--wait", "fds")
        lines = self.terminal.expect(b"ready").decode().splitlines()
        wait_for_supervisor(process.pid)
        for supervisor in harness.find_supervisors(process.pid):
            targets = [os.readlink(entry) for entry in os.scandir(f"/proc/{supervisor}/fd")]
            self.assertNotIn("/dev/tty", targets)
            self.assertNotIn(os.ttyname(self.terminal.line), targets)
        self.terminal.type(b"\x04")
        self.terminal.finish(0)
        found = {int(number): (inode, target) for number, inode, target in
                 (line.split(" ", 2) for line in lines)}
        lease = found.pop(next(number for number in found if number > 2))
        info = os.stat(files / ".ref")
        self.assertEqual(lease[0], f"{info.st_dev}:{info.st_ino}")
        self.assertEqual({number: target for number, (_, target) in found.items()},
                         dict.fromkeys((0, 1, 2), "/dev/tty"))

    def test_messages(self):
        """Those of the launcher and of the supervisors go to the caller."""
        for arguments, status in ((("--", "nothing-like-this"), 127), (("--", "/"), 126),
                                  (("--runtime=none", "--", "true"), 125)):
            process = self.terminal.start("--terminal=tty", *arguments)
            self.assert_failed(self.finish(process), "Cannot", status=status)
        self.assertEqual(self.terminal.read_rest(), b"")

    def test_no_terminal(self):
        """That is seen before a lock is waited for."""
        files = self.make_runtime()
        for options in ([], ["--shell=after"]):
            with harness.hold_exclusive(files / ".ref"):
                result = self.run_launch("--runtime=scout", "--lock-timeout=0", "--terminal=tty",
                                         *options, "--", "probe", start_new_session=True)
            self.assert_failed(result, '"/dev/tty"')
            self.assertEqual(len(result.lines), 2)

    def test_not_needed(self):
        """Where nothing is run for somebody to see it."""
        files = self.make_runtime()
        for arguments in (["--test"], ["--only-prepare", "--", "probe"],
                          ["--dry-run", "--", "probe"], ["--batch", "--", "probe"]):
            result = self.run_launch(f"--runtime={files}", *arguments, start_new_session=True,
                                     environment={"PV_LAUNCH_TERMINAL": "tty",
                                                  "PV_LAUNCH_SHELL": "after"})
            self.assertEqual((result.status, result.err), (0, ""), arguments)


class ShellTest(InteractiveCase):
    def test_after(self):
        """bash, where the runtime has it, or sh; in both the jobs are controlled."""
        for runtime in ("", self.get_runtime("minimal"), self.get_runtime("debian11")):
            for option in ("--share-pid", "--unshare-pid"):
                with self.subTest((str(runtime), option)):
                    self.check_after(f"--runtime={runtime}", option)

    def check_after(self, *options):
        self.open_shell(*options, "--", "sh", "-c", "echo ra\"\"n; exit 3")
        self.assertIn(b"ran", self.terminal.expect(b"status 3; " + AGAIN))
        self.terminal.type(b'"$@"; echo again=$?\n')
        started = self.terminal.expect(b"again=3")
        self.assertIn(b"ran", started)
        self.terminal.type(b"sh -c 'echo start\"\"ed; exec sleep 1000'\n")
        started += self.terminal.expect(b"started")
        self.terminal.type(INTERRUPT)
        self.terminal.type(b"echo interrupted=$?\n")
        started += self.terminal.expect(b"interrupted=130")
        self.terminal.type(b"sh -c 'echo start\"\"ed; exec sleep 1000'\n")
        started += self.terminal.expect(b"started")
        self.terminal.type(STOP)
        self.terminal.type(b"kill -9 %1; echo gone=$?\n")
        started += self.terminal.expect(b"gone=0")
        # The first one is refused as long as the shell has not seen that the job has gone.
        self.terminal.type(b"exit 9; exit 9\n")
        self.assertEqual(self.process_status(), 3)
        self.assertNotIn(b"job control", started + self.terminal.read_rest())

    def process_status(self):
        """dash says that it cannot give a terminal back to another PID namespace."""
        return self.finish(self.terminal.process).status

    def test_is_bash(self):
        self.open_shell("--", "true", shell="instead")
        self.terminal.type(b"echo \"is${BASH_VERSION:+ bash}\"\n")
        self.terminal.expect(b"is bash")
        self.terminal.type(b"exit\n")
        self.terminal.finish(0)

    def test_fail(self):
        self.open_shell("--", "sh", "-c", "echo ran; exit 0", shell="fail")
        self.terminal.finish(0)
        self.assertNotIn(AGAIN, self.terminal.read_rest())
        self.open_shell("--", "sh", "-c", "kill -9 $$", shell="fail")
        self.terminal.expect(b"status 137; " + AGAIN)
        self.terminal.type(b"exit 0\n")
        self.terminal.finish(137)

    def test_instead(self):
        self.open_shell("--", "sh", "-c", "echo ra\"\"n", shell="instead")
        self.assertNotIn(b"ran", self.terminal.expect(b"was not run"))
        self.terminal.type(b'"$@"; exit 5\n')
        self.terminal.expect(b"ran")
        self.terminal.finish(5)

    def test_missing_program(self):
        for shell in ("after", "fail"):
            self.open_shell("--", "nothing-like-this", shell=shell,
                            environment={"PATH": "/usr/bin"})
            self.terminal.expect(b"status 127; " + AGAIN)
            self.terminal.type(b"exit 0\n")
            self.terminal.finish(127)

    def test_arguments(self):
        """Also those for which the shell itself has a meaning."""
        script = 'for word; do printf "%s\\0" "$word"; done >arguments'
        for runtime in ("", self.get_runtime("debian11")):
            self.open_shell(f"--runtime={runtime}", "--", "sh", "-c", script, "sh", *ODD,
                            shell="fail")
            self.terminal.finish(0)
            written = (self.work / "arguments").read_bytes()
            self.assertEqual(written, b"".join(word + b"\0" for word in ODD))

    def test_environment(self):
        """The program has what it has without a shell, but for what every shell adds."""
        variables = {"status": "1", "shell": "2", "terminal": "3", "IFS": "x", "ENV": "/none"}
        ignored = {"PWD", "OLDPWD", "SHLVL", "_"}
        found = []
        for options in ([], ["--shell=fail"]):
            self.terminal.start("--terminal=tty", *options, "--", "sh", "-c", "env -0 >variables",
                                environment=variables)
            self.terminal.finish(0)
            words = (self.work / "variables").read_bytes().split(b"\0")
            found.append({word for word in words if word.split(b"=")[0].decode() not in ignored})
        self.assertEqual(found[0], found[1])

    def test_interrupted_program(self):
        self.open_shell("--", "sh", "-c", "echo start\"\"ed; exec sleep 1000")
        self.terminal.expect(b"started")
        wait_for_supervisor(self.terminal.process.pid)
        self.terminal.type(INTERRUPT)
        self.terminal.expect(b"status 130; " + AGAIN)
        self.terminal.type(b"exit\n")
        self.terminal.finish(130)

    def start_sleeping(self, *options):
        self.open_shell(*options, "--", "sh", "-c", "echo start\"\"ed; exec sleep 1000")
        self.terminal.expect(b"started")
        wait_for_supervisor(self.terminal.process.pid)

    def test_terminated(self):
        """What is sent to the launcher reaches the program behind the shell; none is opened."""
        for option in ("--share-pid", "--unshare-pid"):
            for number in (signal.SIGTERM, signal.SIGHUP):
                self.start_sleeping(option)
                self.terminal.process.send_signal(number)
                self.terminal.finish(128 + number)
                self.assertNotIn(AGAIN, self.terminal.read_rest())

    def test_cleans_up(self):
        """The status is the program's, which ends in its own time."""
        for shell in ("after", "fail"):
            self.open_shell("--", "sh", "-c",
                            "trap 'sleep 0.3; kill $child; exit 5' TERM; sleep 1000 & child=$!; "
                            "echo start\"\"ed; wait",
                            shell=shell)
            self.terminal.expect(b"started")
            wait_for_supervisor(self.terminal.process.pid)
            self.terminal.process.terminate()
            self.terminal.finish(5)
            self.assertNotIn(AGAIN, self.terminal.read_rest())

    def test_other_signals(self):
        for number in (signal.SIGUSR1, signal.SIGINT):
            self.start_sleeping()
            self.terminal.process.send_signal(number)
            self.terminal.expect(b"status %d; " % (128 + number) + AGAIN)
            self.terminal.type(b"exit\n")
            self.terminal.finish(128 + number)

    def test_terminal_is_given_back(self):
        """Who started the launcher can read again, however the shell has ended."""
        for option in ("--share-pid", "--unshare-pid"):
            for last in (b"exit", b"kill -9 $$"):
                self.terminal.start(
                    "-c", '"$@"; echo "status=$?"; read word; echo "got $word"', "sh",
                    harness.PV_LAUNCH, option, "--shell=after", "--terminal=tty", "--", "sh", "-c",
                    "exit 3", command=["sh"], stdin=self.terminal.line,
                    stdout=self.terminal.line, stderr=self.terminal.line)
                self.terminal.expect(AGAIN)
                self.terminal.type(last + b"\n")
                self.terminal.expect(b"status=3")
                self.terminal.type(b"this\n")
                self.terminal.expect(b"got this")
                self.assertEqual(self.terminal.process.wait(), 0)

    def test_dry_run(self):
        options = ["--shell=after", "--terminal=tty", "--", "sh", "-c", "echo ra\"\"n; exit 3"]
        program = json.loads(self.run_launch("--dry-run=json", *options).text)["program"]
        self.assertEqual(program[-5:], ["after", "tty", *options[-3:]])
        self.assertIn(options[-1], self.run_launch("--dry-run=text", *options).text)
        command = self.run_launch("--dry-run=argv", *options)
        self.assert_works(command)
        self.terminal.start("-c", command.text, command=["sh"])
        self.assertIn(b"ran", self.terminal.expect(b"status 3; " + AGAIN))
        self.terminal.type(b"exit\n")
        self.terminal.finish(3)


class UsageTest(harness.Case):
    def test_no_terminal_for_the_shell(self):
        result = self.run_launch("--shell=after", "--terminal=none", "--", "true")
        self.assert_failed(result, "--shell=after", "--terminal=none")
        result = self.run_launch("--terminal=none", "--", "true",
                                 environment={"PRESSURE_VESSEL_SHELL": "fail"})
        self.assert_failed(result, "--shell=fail", "(from PRESSURE_VESSEL_SHELL)")

    def test_batch(self):
        for options, environment in (
                (["--shell=after", "--batch"], {}), (["--batch", "--terminal=xterm"], {}),
                (["--shell=instead", "--terminal=tty"], {"PV_LAUNCH_BATCH": "1"}),
                (["--batch"], {"PV_LAUNCH_SHELL": "after", "PV_LAUNCH_TERMINAL": "none"}),
                ([], {"PRESSURE_VESSEL_SHELL": "after", "PRESSURE_VESSEL_BATCH": "1"})):
            result = self.run_launch(*options, "--", "echo", "ran", environment=environment,
                                     start_new_session=True)
            self.assert_works(result)
            self.assertEqual(result.out, b"ran\n")


class XtermTest(harness.Case):
    """Where a uid 0 without capabilities will not do for xterm, an ordinary user runs it."""

    def setUp(self):
        super().setUp()
        for name in ("Xvfb", "xterm"):
            if shutil.which(name) is None:
                self.skipTest(f"no {name}")
        self.command = harness.as_ordinary_user([harness.PV_LAUNCH])
        if harness.is_root():
            for name in ("home", "session", "work"):
                os.chown(self.folder / name, harness.ORDINARY_UID, harness.ORDINARY_UID)
        elif os.geteuid() == 0:
            self.command = ["unshare", "--user", f"--map-user={harness.ORDINARY_UID}",
                            f"--map-group={harness.ORDINARY_UID}", harness.PV_LAUNCH]
        self.start_display()
        self.receiving, self.sending = os.pipe()
        self.addCleanup(os.close, self.receiving)
        self.addCleanup(os.close, self.sending)
        self.channel = f"&{self.sending}"

    def start_display(self):
        receiving, sending = os.pipe()
        server = subprocess.Popen(["Xvfb", "-displayfd", str(sending), "-nolisten", "tcp", "-ac"],
                                  pass_fds=[sending], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        os.close(sending)
        with open(receiving, encoding="ascii") as stream:
            number = stream.readline().strip()
        self.assertTrue(number, "no X server")
        self.environment["DISPLAY"] = f":{number}"

    def start_xterm(self, *arguments, **others):
        return self.start(f"--pass-fd={self.sending}", *arguments, command=self.command,
                          pass_fds=[self.sending], **others)

    def run_xterm(self, *arguments, **others):
        """The status, and what was written into the channel."""
        result = self.finish(self.start_xterm(*arguments, **others))
        self.assertEqual(result.out, b"", result.err)
        said = b""
        while select.select([self.receiving], [], [], 0)[0]:
            said += os.read(self.receiving, 4096)
        return result.status, said

    def test_status(self):
        for option in ("--share-pid", "--unshare-pid"):
            for script, status in (("exit 0", 0), ("exit 6", 6), ("kill -9 $$", 137)):
                self.assertEqual(
                    self.run_xterm(option, "--terminal=xterm", "--", "bash", "-c", script),
                    (status, b""))

    def test_missing_program(self):
        status = self.run_xterm("--terminal=xterm", "--", "nothing-like-this",
                                environment={"PATH": "/usr/bin:/bin"})[0]
        self.assertEqual(status, 127)

    def test_streams_and_fds(self):
        script = ("test -t 0 && test -t 1 && test -t 2 && "
                  f"cd /proc/$$/fd && echo * >{self.channel}; exit 4")
        status, with_xterm = self.run_xterm("--terminal=xterm", "--", "bash", "-c", script)
        self.assertEqual(status, 4)
        _, without = self.run_xterm("--", "bash", "-c", f"cd /proc/$$/fd && echo * >{self.channel}")
        self.assertEqual(with_xterm, without)

    def test_arguments(self):
        script = f'for word; do printf "%s\\0" "$word"; done >{self.channel}'
        for option in ("--terminal=xterm", "--shell=fail"):
            status, said = self.run_xterm(option, "--", "bash", "-c", script, "bash", *ODD)
            self.assertEqual((status, said), (0, b"".join(word + b"\0" for word in ODD)))

    def run_shell(self, shell, status):
        """Not an ENV file or input, but what bash does before it prompts, stands for the user."""
        prompt = f'echo prompt >{self.channel}; "$@"; exit 5'
        return self.run_xterm(f"--shell={shell}", "--", "bash", "-c",
                              f"echo ran >{self.channel}; exit {status}",
                              environment={"PROMPT_COMMAND": prompt})

    def test_shell(self):
        """auto is the xterm."""
        self.assertEqual(self.run_shell("after", 3), (3, b"ran\nprompt\nran\n"))
        self.assertEqual(self.run_shell("after", 0), (0, b"ran\nprompt\nran\n"))
        self.assertEqual(self.run_shell("fail", 3), (3, b"ran\nprompt\nran\n"))
        self.assertEqual(self.run_shell("fail", 0), (0, b"ran\n"))
        self.assertEqual(self.run_shell("instead", 3), (5, b"prompt\nran\n"))

    def close_window(self, process):
        self.assertEqual(os.read(self.receiving, 4096), b"ready\n")
        windows = list(follow(process.pid, ["xterm"]))
        self.assertEqual(len(windows), 1)
        os.kill(windows[0], signal.SIGTERM)

    def test_window_is_closed(self):
        """While the program runs it is ended; in the shell its status is known."""
        ready = f"echo ready >{self.channel}"
        process = self.start_xterm("--terminal=xterm", "--", "bash", "-c",
                                   f"{ready}; exec sleep 1000")
        self.close_window(process)
        self.assertEqual(self.finish(process).status, 129)
        process = self.start_xterm("--shell=after", "--", "bash", "-c", "exit 3",
                                   environment={"PROMPT_COMMAND": ready})
        self.close_window(process)
        self.assertEqual(self.finish(process).status, 3)

    def test_terminated(self):
        for shell in ("none", "after"):
            process = self.start_xterm(
                "--terminal=xterm", f"--shell={shell}", "--", "bash", "-c",
                f"echo ready >{self.channel}; exec sleep 1000")
            self.assertEqual(os.read(self.receiving, 4096), b"ready\n")
            wait_for_supervisor(process.pid)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(self.finish(process).status, 143)

    def test_no_display(self):
        self.environment["DISPLAY"] = "/nowhere:0"
        result = self.finish(self.start_xterm("--terminal=xterm", "--", "true"))
        self.assertEqual((result.status, result.out), (125, b""))
        message, hint = result.lines[-2:]
        self.assertTrue(message.startswith("pv-launch: Cannot open an xterm"), result.err)
        self.assertTrue(hint.startswith("hint: --terminal=tty"), result.err)

    def test_no_xterm(self):
        result = self.finish(self.start_xterm(f"--runtime={self.get_runtime('minimal')}",
                                              "--shell=after", "--", "true"))
        self.assert_failed(result, 'Cannot find program "xterm"', status=127)
        self.assertEqual(len(result.lines), 2)


if __name__ == "__main__":
    harness.main()
