# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of signals and of the end share: a program that says what it gets.

The environment says what is tested, as harness.py has it; and
  PV_TEST_SIGNAL_PROBE      the compiled signal-probe.c, whose words are explained there
"""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import time

import harness

SIGNAL_PROBE = os.environ.get("PV_TEST_SIGNAL_PROBE", "")

# Everything here is true of both.
WAYS = ([], ["--unshare-pid"])

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
             signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT)

# What comes sooner after one of the same kind is the same.
SAME_SIGNAL = 0.2

# For what happens soon, and of which nobody says that it has happened.
PATIENCE = 20


def catch(*numbers):
    return "catch=" + ",".join(str(int(number)) for number in numbers)


def wait_until(condition, what):
    """Asks again and again; returns what @condition does as soon as it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.002)
    return result


def get_state(pid):
    """The letter that /proc has for it; None: there is none."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return text.rpartition(")")[2].split()[0]
    return None


def get_words(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


def wait_for_supervisor(pid):
    """Until pv-launch has become the supervisor: it has nothing left to do but to wait."""
    wait_until(lambda: get_words(pid)[1:2] == [b"--outside"], f"process {pid} is the supervisor")


def wait_for_end(pid):
    """Of a process that need not be a child."""
    wait_until(lambda: get_state(pid) in (None, "Z"), f"process {pid} has ended")


class SignalCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()
        shutil.copy(SIGNAL_PROBE, self.files / "bin/signal-probe")

    def start_program(self, *words, options=(), **others):
        """Starts the program in a container; see expect()."""
        others.setdefault("bufsize", 0)
        return self.start("--runtime=scout", *options, "--", "signal-probe", *words, **others)

    def read_line(self, process):
        line = process.stdout.readline()
        if not line:
            self.fail(f"nothing more is said, but {process.stderr.read()!r}")
        return line.decode().rstrip("\n")

    def expect(self, process, *lines):
        """What it says next."""
        for line in lines:
            self.assertEqual(self.read_line(process), line)

    def expect_each(self, process, *lines):
        """What it says next, in whatever order."""
        self.assertEqual(sorted(self.read_line(process) for _ in lines), sorted(lines))

    def assert_silent(self, process):
        """It has said nothing more: there is no line, and no end."""
        self.assertEqual(select.select([process.stdout], [], [], 0.05)[0], [])

    def assert_ended(self, process, status, *lines):
        """Standard input is closed, then the rest of what it says is @lines."""
        result = self.finish(process)
        self.assertEqual((result.status, result.text.splitlines(), result.err),
                         (status, list(lines), ""))

    def open_status(self):
        """A pipe for --status-fd: the option, what Popen needs, and the end that is read."""
        receiving, sending = os.pipe()
        reader = open(receiving, encoding="utf-8")
        self.addCleanup(reader.close)
        return f"--status-fd={sending}", sending, reader

    def start_reporting(self, *words, options=(), **others):
        """As start_program(); the program's events can be read from what is returned as well."""
        option, sending, reader = self.open_status()
        process = self.start_program(*words, options=[option, *options], pass_fds=[sending],
                                     **others)
        os.close(sending)
        return process, reader

    def wait_for_event(self, reader, name):
        """The first event of that name, which is known to come."""
        for line in reader:
            event = json.loads(line)
            if event["event"] == name:
                return event
        raise AssertionError(f"there is no {name!r}")

    @staticmethod
    def get_inside(process):
        return harness.find_supervisors(process.pid)[1]

    def get_program(self, process):
        """Its pid, as it is outside."""
        inside = self.get_inside(process)
        for pid in harness.list_descendants(inside):
            if get_words(pid)[0] == b"signal-probe":
                return pid
        raise AssertionError("there is no program")
