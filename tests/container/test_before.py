#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a process had started before it became pv-launch is left alone, with all below it."""

import contextlib
import os
import signal
import sys
import time

import harness

# Starts a daemon through a child, and becomes the command line; the daemon says its pid.
STARTER = """
import os, sys, time
os.set_inheritable(int(sys.argv[1]), True)
child = os.fork()
if child == 0:
    daemon = os.fork()
    if daemon == 0:
        os.setsid()
        os.write(int(sys.argv[1]), b"%d\\n" % os.getpid())
        os.close(int(sys.argv[1]))
        for fd in (0, 1, 2):
            os.close(fd)
        time.sleep(1000)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
os.close(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""

# The children that a process stops are its own business.
STOPPED = """
import os, signal, sys
child = os.fork()
if child == 0:
    for fd in (0, 1, 2):
        os.close(fd)
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(0)
os.waitpid(child, os.WUNTRACED)
os.execv(sys.argv[1], sys.argv[1:])
"""

DELAYS = ("0.0005", "0.002", "0.004", "0.2")
SHELL = "/bin/sh"


class BeforeTest(harness.LockCase):
    def start_with_daemon(self, delay, *words):
        """Returns: the process, and the pid of what lives below a child that ends after @delay."""
        reader, writer = os.pipe()
        command = [sys.executable, "-c", STARTER, str(writer), delay, harness.PV_LAUNCH]
        process = self.start(*words, command=command, pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as stream:
            return process, int(stream.readline())

    def end_daemon(self, pid):
        """It must still be there."""
        os.kill(pid, 0)
        harness.kill(pid)
        # Whose it is depends on who ended first.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def test_not_waited_for(self):
        for delay in DELAYS:
            with self.subTest(delay):
                process, daemon = self.start_with_daemon(delay, "--", SHELL, "-c",
                                                         "sleep 0.3; exit 6")
                self.assertEqual(self.finish(process).status, 6)
                self.end_daemon(daemon)

    def test_not_ended(self):
        for words, status in ((["missing"], 127),
                              ([SHELL, "-c", "sleep 0.3; sleep 100 & exit 4"], 4)):
            for delay in DELAYS:
                with self.subTest(words=words, delay=delay):
                    process, daemon = self.start_with_daemon(delay, "--terminate-timeout=0", "--",
                                                             *words)
                    self.assertEqual(self.finish(process).status, status)
                    self.end_daemon(daemon)

    def test_not_signalled_by_who_takes_over(self):
        process, daemon = self.start_with_daemon("0.001", "--runtime=scout", "--", "probe", "--wait")
        self.read_until(process, b"ready\n")
        harness.kill(harness.find_supervisors(process.pid)[1])
        process.terminate()
        # Another one that comes sooner would count as the same.
        time.sleep(0.25)
        process.terminate()
        self.assertEqual((process.wait(), process.stderr.read()), (128 + signal.SIGTERM, b""))
        self.end_daemon(daemon)

    def test_stopped_child(self):
        """One that is stopped does not hide a supervisor that the program has stopped."""
        for _ in range(10):
            process = self.start("--", SHELL, "-c", "kill -STOP $PPID; exit 5",
                                 command=[sys.executable, "-c", STOPPED, harness.PV_LAUNCH])
            self.assertEqual(self.finish(process).status, 5)
            for pid in harness.list_descendants(os.getpid()):
                harness.kill(pid)
            self.reap()


if __name__ == "__main__":
    harness.main()
