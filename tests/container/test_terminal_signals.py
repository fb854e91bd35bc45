#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a terminal sends goes to a whole process group, and means what it means without a launcher."""

import fcntl
import os
import pathlib
import signal
import struct
import subprocess
import termios
from signal import SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGWINCH

import harness
import signal_case
from signal_case import WAYS, catch

# None of those that a terminal sends.
MARKER = SIGUSR1

PR_SET_PDEATHSIG = 1


class TerminalCase(signal_case.SignalCase):
    def setUp(self):
        super().setUp()
        self.master = self.slave = -1
        self.open_terminal()
        self.addCleanup(self.close_terminal)

    def open_terminal(self):
        """A new one, since the end of a session hangs up."""
        self.close_terminal()
        self.master, self.slave = os.openpty()

    def close_terminal(self):
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1

    def type(self, key):
        os.write(self.master, key)

    def take_terminal(self):
        """In a new process: a session of its own with this terminal."""
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def assert_only(self, process, *numbers):
        """The program gets each once: nothing but the marker comes after them."""
        self.expect_each(process, *(f"got {int(number)}" for number in numbers))
        process.send_signal(MARKER)
        self.expect(process, f"got {int(MARKER)}")


class Job:
    """What a shell with job control does: the program is the foreground job of a session.

    @process is the launcher, with pipes; read_change() says what the shell is told by waitpid(2).
    """

    def __init__(self, case, *words, options=()):
        case.open_terminal()
        self.pipes = [os.pipe() for _ in range(4)]
        self.shell = os.fork()
        if self.shell == 0:
            status = 1
            try:
                self.be_shell(case, [harness.PV_LAUNCH, "--runtime=scout", *options, "--",
                                     "signal-probe", *words])
                status = 0
            finally:
                os._exit(status)
        (stdin, self.input), (output, stdout), (errors, stderr), (changes, report) = self.pipes
        for fd in (stdin, stdout, stderr, report):
            os.close(fd)
        self.stdin = open(self.input, "wb", 0)
        self.stdout = open(output, "rb", 0)
        self.stderr = open(errors, "rb")
        self.changes = open(changes, encoding="utf-8")
        for stream in (self.stdin, self.stdout, self.stderr, self.changes):
            case.addCleanup(stream.close)
        self.pid = int(self.read_change())

    def be_shell(self, case, command):
        (stdin, _), (_, stdout), (_, stderr), (_, report) = self.pipes
        kept = sorted((stdin, stdout, stderr, report, case.slave))
        for first, end in zip([3, *(fd + 1 for fd in kept)], [*kept, 1 << 20]):
            os.closerange(first, end)
        harness.call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        case.take_terminal()
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)

        def become_job():
            os.setpgid(0, 0)
            os.tcsetpgrp(case.slave, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)

        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr,
                                   env=case.environment, cwd=case.work, preexec_fn=become_job)
        for fd in (stdin, stdout, stderr):
            os.close(fd)
        os.write(report, f"{process.pid}\n".encode())
        while True:
            _, status = os.waitpid(process.pid, os.WUNTRACED | os.WCONTINUED)
            os.write(report, f"{self.describe(status)}\n".encode())
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                return

    @staticmethod
    def describe(status):
        if os.WIFSTOPPED(status):
            return f"stopped {os.WSTOPSIG(status)}"
        if os.WIFCONTINUED(status):
            return "continued"
        return f"ended {os.waitstatus_to_exitcode(status)}"

    def read_change(self):
        return self.changes.readline().rstrip("\n")

    def read_last_change(self):
        return self.changes.read().splitlines()[-1]

    def send_signal(self, number):
        os.kill(self.pid, number)


class JobTest(TerminalCase):
    def start_job(self, *words, options=(), end="wait", others=()):
        """@others: what other processes say, who knows when."""
        job = Job(self, *words, "say=ready", end, options=options)
        self.expect_each(job, "ready", *others)
        signal_case.wait_for_supervisor(job.pid)
        return job

    def start_catching(self, options, *words, others=()):
        return self.start_job(catch(*signal_case.PASSED_ON), *words, options=options,
                              others=others)

    def assert_job_ended(self, job, status, *lines):
        job.stdin.close()
        self.assertEqual((job.read_last_change(), job.stderr.read()), (f"ended {status}", b""))
        self.assertEqual(job.stdout.readall().decode().splitlines(), list(lines))
        os.waitpid(job.shell, 0)

    def test_typed(self):
        """The program gets it once, and goes on, as does the launcher."""
        for options in WAYS:
            job = self.start_catching(options)
            for key, number in ((b"\x03", SIGINT), (b"\x1c", SIGQUIT), (b"\x03", SIGINT)):
                self.type(key)
                self.assert_only(job, number)
            self.assert_job_ended(job, 0)

    def test_typed_for_all(self):
        """Those in the background of the same group get it too, once."""
        for options in WAYS:
            job = self.start_catching(options, "fork", "say=child", "wait", "end",
                                      others=["child"])
            self.type(b"\x03")
            self.assert_only(job, SIGINT, SIGINT)
            self.assert_job_ended(job, 0)

    def test_not_counted(self):
        """One that is sent right after that counts."""
        for options in WAYS:
            job = self.start_catching(options)
            self.type(b"\x03")
            self.expect(job, "got 2")
            # Two that wait for the same process are one.
            for pid in harness.find_supervisors(job.pid):
                signal_case.wait_until(lambda pid=pid: not self.list_pending(pid), "it was taken")
            job.send_signal(SIGINT)
            self.assert_only(job, SIGINT)
            self.assert_job_ended(job, 0)

    @staticmethod
    def list_pending(pid):
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(text.partition("ShdPnd:")[2].split()[0], 16)

    def test_deadly(self):
        for options in WAYS:
            for key, number in ((b"\x03", SIGINT), (b"\x1c", SIGQUIT)):
                job = self.start_job(options=options, end="pause")
                self.type(key)
                self.assert_job_ended(job, 128 + number)

    def test_clean_up(self):
        for options in WAYS:
            job = self.start_job("clean=2,6", options=options)
            self.type(b"\x03")
            self.expect(job, "cleaning 2")
            self.assert_job_ended(job, 6, "cleaned 2")

    def test_resized(self):
        for options in WAYS:
            job = self.start_catching(options)
            size = struct.unpack("HHHH", fcntl.ioctl(self.master, termios.TIOCGWINSZ, bytes(8)))
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", size[0] + 1, 9, 0, 0))
            self.assert_only(job, SIGWINCH)
            self.assert_job_ended(job, 0)

    def stop(self, job):
        """As Ctrl-Z does; returns the program's pid."""
        program = self.get_program(job)
        self.type(b"\x1a")
        self.assertEqual(job.read_change(), f"stopped {int(signal.SIGTSTP)}")
        signal_case.wait_until(lambda: signal_case.get_state(program) == "T", "it is stopped")
        return program

    def test_stop_and_continue(self):
        for options in WAYS:
            job = self.start_catching(options)
            for _ in range(3):
                program = self.stop(job)
                self.assertEqual(signal_case.get_state(job.pid), "T")
                self.assertTrue(harness.is_locked(self.files / ".ref"))
                os.killpg(job.pid, SIGCONT)
                self.assertEqual(job.read_change(), "continued")
                self.expect(job, "got 18")
                signal_case.wait_until(lambda: signal_case.get_state(program) == "S", "it goes on")
                self.skip_continued(job)
            self.assert_job_ended(job, 0)

    def skip_continued(self, job):
        """The group and the launcher were told: that makes one or two."""
        continued = self.count_continued(job)
        # What was sent before the first marker may be handled after it, but not after the second.
        continued += self.count_continued(job)
        self.assertLessEqual(continued, 1)

    def count_continued(self, job):
        """Sends a marker; returns how often the program was told to continue before that."""
        # Of two that wait, the lower number is read first.
        job.send_signal(SIGWINCH)
        lines = list(iter(lambda: self.read_line(job), f"got {int(SIGWINCH)}"))
        self.assertEqual(set(lines) - {"got 18"}, set())
        return len(lines)

    def test_continue_the_launcher(self):
        """It alone is told, by its pid."""
        for options in WAYS:
            job = self.start_catching(options)
            program = self.stop(job)
            job.send_signal(SIGCONT)
            self.assertEqual(job.read_change(), "continued")
            self.expect(job, "got 18")
            signal_case.wait_until(lambda: signal_case.get_state(program) == "S", "it goes on")
            self.assert_job_ended(job, 0)

    def test_end_of_a_stopped_job(self):
        for options in WAYS:
            for send in (os.kill, os.killpg):
                job = self.start_job("clean-for=15,0,7", options=options, end="pause")
                self.stop(job)
                send(job.pid, SIGTERM)
                send(job.pid, SIGCONT)
                self.assertEqual(job.read_change(), "continued")
                self.assert_job_ended(job, 7, "cleaning 15", "cleaned 15")

    def test_end_of_a_stopped_job_that_does_not_clean_up(self):
        for options in WAYS:
            job = self.start_job(options=options, end="pause")
            self.stop(job)
            os.kill(job.pid, SIGTERM)
            os.kill(job.pid, SIGCONT)
            self.assertEqual(job.read_change(), "continued")
            self.assert_job_ended(job, 128 + SIGTERM)

    def test_stop_while_it_starts(self):
        """Whatever is stopped goes on together."""
        for options in WAYS:
            for _ in range(10):
                job = Job(self, catch(MARKER), "say=ready", "wait", options=options)
                self.type(b"\x1a")
                signal_case.wait_until(lambda: self.is_any_stopped(job), "something is stopped")
                os.killpg(job.pid, SIGCONT)
                self.expect(job, "ready")
                job.stdin.close()
                self.assertEqual(job.read_last_change(), "ended 0")
                os.waitpid(job.shell, 0)

    @staticmethod
    def is_any_stopped(job):
        pids = [job.pid, *harness.list_descendants(job.pid)]
        return any(signal_case.get_state(pid) == "T" for pid in pids)


class SessionTest(TerminalCase):
    """The launcher is what a terminal was opened for: the leader of its session."""

    def start_leader(self, *words, options=()):
        self.open_terminal()
        process = self.start_program(*words, "say=ready", "wait", options=options,
                                     preexec_fn=self.take_terminal)
        self.expect(process, "ready")
        signal_case.wait_for_supervisor(process.pid)
        return process

    def test_hang_up(self):
        """Nobody but the leader is told, so the program is told by it."""
        for options in WAYS:
            process = self.start_leader(catch(SIGHUP, MARKER), options=options)
            self.close_terminal()
            self.assert_only(process, SIGHUP)
            self.assert_ended(process, 0)

    def test_hang_up_clean_up(self):
        for options in WAYS:
            process = self.start_leader("clean=1,4", options=options)
            self.close_terminal()
            self.expect(process, "cleaning 1")
            self.assert_ended(process, 4, "cleaned 1")

    def test_hang_up_deadly(self):
        for options in WAYS:
            process = self.start_leader(options=options)
            self.close_terminal()
            self.assertEqual(process.wait(), 128 + SIGHUP)
            self.finish(process)

    def test_typed(self):
        for options in WAYS:
            process = self.start_leader(catch(SIGINT, MARKER), options=options)
            self.type(b"\x03")
            self.assert_only(process, SIGINT)
            self.assert_ended(process, 0)


class StandardInputTest(TerminalCase):
    def test_is_the_terminal(self):
        """What is typed reaches the program, as a terminal does."""
        for options in WAYS:
            process = self.start_program("isatty", "wait", "say=end", options=options,
                                         stdin=self.slave)
            self.expect(process, "tty 0", "no-tty 1", "no-tty 2")
            self.type(b"typed\n\x04")
            self.expect(process, "end")
            self.assert_ended(process, 0)

    def test_same_terminal(self):
        name = os.ttyname(self.slave)
        result = self.run_launch("--runtime=scout", "--", "probe", "fds", stdin=self.slave)
        self.assert_works(result)
        found = {line.split(" ")[0]: line.split(" ")[1] for line in result.text.splitlines()}
        info = pathlib.Path(name).stat()
        self.assertEqual(found["0"], f"{info.st_dev}:{info.st_ino}")


if __name__ == "__main__":
    harness.main()
