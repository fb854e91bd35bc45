#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of processes that the program leaves behind, and of a container whose caller goes."""

import os
import threading
import time
from signal import SIGCONT, SIGKILL, SIGTERM, SIGUSR1

import harness
import signal_case
from signal_case import WAYS, catch

CATCH = catch(SIGTERM, SIGCONT)
ASKED = ("got 15", "got 18")


def limits(timeout, idle=0):
    return [f"--terminate-timeout={timeout}", f"--terminate-idle-timeout={idle}"]


class LeftoversTest(signal_case.SignalCase):
    def start_leftovers(self, options, *child):
        """The program leaves one child, which says so; its own status is 5."""
        process, reader = self.start_reporting("fork", CATCH, *child, "say=child", "wait", "end",
                                               "fork", "wait", "end", "exit=5", options=options)
        return process, reader

    def test_end_by_themselves(self):
        for way in WAYS:
            process, reader = self.start_leftovers([*way, *limits(0, 40)])
            self.wait_for_event(reader, "exited")
            self.expect(process, "child")
            self.assert_ended(process, 5)

    def test_default(self):
        for way in WAYS:
            for options in ([], limits(-1), limits(-0.5, 0.01)):
                process, reader = self.start_leftovers([*way, *options])
                self.wait_for_event(reader, "exited")
                self.expect(process, "child")
                self.assert_silent(process)
                self.assertIsNone(process.poll())
                self.assert_ended(process, 5)

    def test_asked(self):
        """After the time in which they could end by themselves."""
        for way in WAYS:
            process, reader = self.start_leftovers([*way, *limits(40, 0.3)])
            self.wait_for_event(reader, "exited")
            began = time.monotonic()
            self.expect(process, "child")
            self.expect_each(process, *ASKED)
            self.assertGreater(time.monotonic() - began, 0.25)
            self.assert_silent(process)
            self.assert_ended(process, 5)

    def test_killed(self):
        for way in WAYS:
            process, reader = self.start_deaf([*way, *limits(0.3)])
            process.stdin.close()
            self.wait_for_event(reader, "exited")
            began = time.monotonic()
            self.expect_each(process, *ASKED)
            self.assert_ended(process, 5)
            self.assertGreater(time.monotonic() - began, 0.25)

    def test_killed_at_once(self):
        for way in WAYS:
            process, _ = self.start_reporting(
                "fork", CATCH, "setsid", "say=child", "pause", "end", "wait", "exit=5",
                options=[*way, *limits(0)])
            self.expect(process, "child")
            self.assert_ended(process, 5)

    def test_not_before_the_end(self):
        for way in WAYS:
            process = self.start_program("fork", CATCH, "say=child", "wait", "end", CATCH,
                                         "say=ready", "wait", options=[*way, *limits(0)])
            self.expect_each(process, "child", "ready")
            signal_case.wait_for_supervisor(process.pid)
            self.assert_silent(process)
            self.assert_ended(process, 0)

    def test_stopped(self):
        for way in WAYS:
            process = self.start_program("fork", "fork", "stop", "end", "setsid", "stop", "end",
                                         "say=ready", "wait", "exit=5",
                                         options=[*way, *limits(40)])
            self.expect(process, "ready")
            signal_case.wait_until(
                lambda: [signal_case.get_state(pid)
                         for pid in harness.list_descendants(process.pid)].count("T") == 2,
                "both are stopped")
            self.assert_ended(process, 5)

    def test_go_on_as_others(self):
        """Those that fork when they are asked to end are killed."""
        for way in WAYS:
            process = self.start_program(
                *["fork", "setsid", "go-on=15", "say=child", "pause", "end"] * 5, "say=ready",
                "wait", "exit=5", options=[*way, *limits(0.3)])
            self.expect_each(process, "ready", *["child"] * 5)
            self.assert_ended(process, 5, *["going on 15"] * 5)

    def test_signals_beside(self):
        for way in WAYS:
            process, reader = self.start_reporting(
                "fork", CATCH, "say=child", "pause", "end", "wait", "exit=5",
                options=[*way, *limits(40, 40)])
            self.expect(process, "child")
            process.stdin.close()
            self.wait_for_event(reader, "exited")
            process.terminate()
            self.expect_each(process, *ASKED)
            time.sleep(signal_case.SAME_SIGNAL)
            process.terminate()
            self.assert_ended(process, 5)

    def start_deaf(self, options):
        process, reader = self.start_reporting("fork", CATCH, "say=child", "pause", "end", "wait",
                                               "exit=5", options=options)
        self.expect(process, "child")
        signal_case.wait_for_supervisor(process.pid)
        return process, reader

    def test_supervisor_inside_killed(self):
        """The one outside keeps the same limits."""
        process, _ = self.start_deaf(limits(0.3, 0.1))
        harness.kill(self.get_inside(process))
        self.assert_silent(process)
        process.stdin.close()
        self.expect_each(process, *ASKED)
        self.assert_ended(process, 5)

    def test_supervisor_inside_killed_after_the_end(self):
        process, reader = self.start_deaf(limits(0.3, 1))
        process.stdin.close()
        self.wait_for_event(reader, "exited")
        harness.kill(self.get_inside(process))
        self.expect_each(process, *ASKED)
        self.assert_ended(process, 5)

    def test_supervisor_outside_killed(self):
        """The one inside goes on with them."""
        for way in WAYS:
            process, _ = self.start_deaf([*way, *limits(0.3)])
            inside = self.get_inside(process)
            harness.kill(process.pid)
            process.stdin.close()
            self.expect_each(process, *ASKED)
            signal_case.wait_for_end(inside)
            self.assertEqual(process.stdout.read(), b"")
            process.wait()


class ParentTest(signal_case.SignalCase):
    """--exit-with-parent."""

    def setUp(self):
        super().setUp()
        self.fifo = self.work / "fifo"

    def let_end(self):
        os.close(os.open(self.fifo, os.O_WRONLY))

    def start_below(self, *words, options=("--exit-with-parent",)):
        """Below a shell that ends when it is let_end(); returns the shell and the launcher's pid."""
        self.fifo.unlink(missing_ok=True)
        os.mkfifo(self.fifo)
        script = f"exec 3<&0; \"$@\" <&3 & exec 3<&-; read line <'{self.fifo}'"
        process = self.start(
            "-c", script, "sh", harness.PV_LAUNCH, "--runtime=scout", *options, "--",
            "signal-probe", *words, "say=ready", "pause", command=["sh"], bufsize=0)
        self.expect(process, "ready")
        launcher = signal_case.wait_until(lambda: self.find_outside(process.pid), "it supervises")
        return process, launcher

    @staticmethod
    def find_outside(pid):
        for child in harness.list_descendants(pid):
            if signal_case.get_words(child)[1:2] == [b"--outside"]:
                return child
        return None

    def test_parent_in_another_namespace(self):
        """It has no pid there."""
        flags = "-pf" if harness.is_root() else "-rpf"
        result = self.run_launch("--exit-with-parent", "--", "/bin/sh", "-c", "exit 6",
                                 command=["unshare", flags, "--mount-proc", harness.PV_LAUNCH])
        self.assertEqual((result.status, result.err), (6, ""))

    def assert_cleans_up(self, process, launcher):
        self.expect(process, "cleaning 15")
        self.assertIsNotNone(signal_case.get_state(launcher))
        self.assertTrue(harness.is_locked(self.files / ".ref"))
        process.stdin.close()
        self.expect(process, "cleaned 15")
        signal_case.wait_for_end(launcher)
        self.assertEqual(process.stdout.read(), b"")
        process.wait()

    def test_ends(self):
        for way in WAYS:
            process, launcher = self.start_below("clean=15,0", options=["--exit-with-parent", *way])
            self.let_end()
            self.assert_cleans_up(process, launcher)

    def test_killed(self):
        for way in WAYS:
            process, launcher = self.start_below("clean=15,0", options=["--exit-with-parent", *way])
            process.kill()
            self.assert_cleans_up(process, launcher)

    def test_without(self):
        """The program goes on."""
        for way in WAYS:
            process, launcher = self.start_below("clean=15,0", options=way)
            process.kill()
            process.wait()
            self.assert_silent(process)
            os.kill(launcher, SIGTERM)
            self.assert_cleans_up(process, launcher)

    def test_launcher_killed(self):
        for way in WAYS:
            process = self.start_program("clean=15,0", "say=ready", "pause",
                                         options=["--exit-with-parent", *way])
            self.expect(process, "ready")
            signal_case.wait_for_supervisor(process.pid)
            inside = self.get_inside(process)
            process.kill()
            self.expect(process, "cleaning 15")
            process.stdin.close()
            self.expect(process, "cleaned 15")
            signal_case.wait_for_end(inside)
            self.assertEqual(process.wait(), -SIGKILL)

    def test_thread(self):
        """It is the process that counts, not the thread that has started the launcher."""
        for way in WAYS:
            started = []

            def start(way=way, started=started):
                started.append(self.start_program(catch(SIGTERM, SIGUSR1), "say=ready", "wait",
                                                  options=["--exit-with-parent", *way]))

            thread = threading.Thread(target=start)
            thread.start()
            thread.join()
            process = started[0]
            self.expect(process, "ready")
            signal_case.wait_for_supervisor(process.pid)
            process.send_signal(SIGUSR1)
            self.expect(process, "got 10")
            self.assert_silent(process)
            self.assert_ended(process, 0)

    def test_all_are_gone(self):
        """With a time limit for what the program leaves."""
        for way in WAYS:
            process, launcher = self.start_below(
                "fork", "setsid", "ignore=15", "pause", "end",
                options=["--exit-with-parent", "--terminate-timeout=0", *way])
            process.kill()
            signal_case.wait_for_end(launcher)
            self.assertEqual(harness.list_descendants(os.getpid()), [])
            process.wait()


if __name__ == "__main__":
    harness.main()
