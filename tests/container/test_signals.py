#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals that are sent to the launcher: who gets them, how often, and what comes of that."""

import os
import signal
import time
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH

import harness
import signal_case
from signal_case import WAYS, catch

# None of those that ask to end, so it counts each time.
MARKER = SIGUSR2


class PassedOnTest(signal_case.SignalCase):
    """The signals that the manual names reach the program."""

    def start_catching(self, options, *words):
        process = self.start_program(catch(*signal_case.PASSED_ON), *words, "say=ready", "wait",
                                     options=options)
        self.expect(process, "ready")
        return process

    def assert_only(self, process, number):
        """The program gets it once: nothing but the marker comes after it."""
        self.expect(process, f"got {int(number)}")
        process.send_signal(MARKER)
        self.expect(process, f"got {int(MARKER)}")

    def test_once(self):
        for options in WAYS:
            process = self.start_catching(options)
            signal_case.wait_for_supervisor(process.pid)
            for number in signal_case.PASSED_ON:
                process.send_signal(number)
                self.assert_only(process, number)
            self.assert_ended(process, 0)

    def test_as_soon_as_it_runs(self):
        """The launcher may not be the supervisor yet."""
        for options in WAYS:
            for number in signal_case.PASSED_ON:
                process = self.start_catching(options)
                process.send_signal(number)
                self.assert_only(process, number)
                self.assert_ended(process, 0)

    def test_others_are_not(self):
        """The meaning of the rest is the launcher's own."""
        for options in WAYS:
            process = self.start_catching(options, catch(signal.SIGURG, signal.SIGCHLD))
            signal_case.wait_for_supervisor(process.pid)
            process.send_signal(signal.SIGURG)
            process.send_signal(signal.SIGCHLD)
            process.send_signal(MARKER)
            self.expect(process, f"got {int(MARKER)}")
            self.assert_ended(process, 0)

    def test_status(self):
        for options in WAYS:
            for number in (SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2):
                process = self.start_program("say=ready", "pause", options=options)
                self.expect(process, "ready")
                process.send_signal(number)
                self.assert_ended(process, 128 + number)

    def test_ignored_by_default(self):
        for options in WAYS:
            process = self.start_program("say=ready", "wait", options=options)
            self.expect(process, "ready")
            for number in (SIGWINCH, SIGCONT):
                process.send_signal(number)
            self.assert_ended(process, 0)

    def test_to_the_supervisor_inside(self):
        for options in WAYS:
            process = self.start_catching(options)
            signal_case.wait_for_supervisor(process.pid)
            inside = self.get_inside(process)
            for number in set(signal_case.PASSED_ON) - {SIGCONT}:
                os.kill(inside, number)
                self.assert_only(process, number)
            self.assert_ended(process, 0)

    def test_stopped_program_continues(self):
        for options in WAYS:
            process = self.start_catching(options)
            signal_case.wait_for_supervisor(process.pid)
            program = self.get_program(process)
            os.kill(program, signal.SIGSTOP)
            signal_case.wait_until(lambda: signal_case.get_state(program) == "T", "it is stopped")
            process.send_signal(SIGUSR1)
            process.send_signal(SIGCONT)
            self.expect_each(process, f"got {int(SIGUSR1)}", f"got {int(SIGCONT)}")
            self.assert_ended(process, 0)

    def test_stopped_supervisor_inside(self):
        """Whoever stops it: it goes on at once."""
        for options in WAYS:
            process = self.start_catching(options)
            signal_case.wait_for_supervisor(process.pid)
            inside = self.get_inside(process)
            for _ in range(20):
                os.kill(inside, signal.SIGSTOP)
                process.send_signal(SIGUSR1)
                self.assert_only(process, SIGUSR1)
            self.assert_ended(process, 0)


class CleanUpTest(signal_case.SignalCase):
    """The launcher returns when the program has cleaned up, with its status."""

    def test_waits(self):
        for options in WAYS:
            for number in (SIGTERM, SIGINT, SIGHUP, SIGQUIT):
                process = self.start_program(f"clean={int(number)},7", "say=ready", "pause",
                                             options=options)
                self.expect(process, "ready")
                process.send_signal(number)
                self.expect(process, f"cleaning {int(number)}")
                self.assertIsNone(process.poll())
                self.assertTrue(harness.is_locked(self.files / ".ref"))
                self.assert_ended(process, 7, f"cleaned {int(number)}")

    def test_two_seconds(self):
        processes = []
        for options in WAYS:
            for number in (SIGTERM, SIGINT):
                process = self.start_program(f"clean-for={int(number)},2000,9", "say=ready",
                                             "pause", options=options)
                self.expect(process, "ready")
                processes.append((process, number))
        began = time.monotonic()
        for process, number in processes:
            process.send_signal(number)
        for process, number in processes:
            self.assert_ended(process, 9, f"cleaning {int(number)}", f"cleaned {int(number)}")
        self.assertGreaterEqual(time.monotonic() - began, 2)

    def test_killed_program(self):
        for options in WAYS:
            process = self.start_program("say=ready", "pause", options=options)
            self.expect(process, "ready")
            os.kill(self.get_program(process), SIGKILL)
            self.assert_ended(process, 128 + SIGKILL)


class EscalationTest(signal_case.SignalCase):
    """The first SIGTERM is the program's, the second one everybody's, the third one kills."""

    FAMILY = ("fork", "say=child", "pause", "end",
              "fork", "setsid", "say=session", "fork", "say=grandchild", "pause", "end",
              "pause", "end",
              "fork", "say=stopped", "stop", "pause", "end")

    def start_family(self, options):
        """Five processes, one of them stopped; all catch SIGTERM and go on."""
        process = self.start_program(catch(SIGTERM), *self.FAMILY, "say=program", "pause",
                                     options=options)
        self.expect_each(process, "program", "child", "session", "grandchild", "stopped")
        signal_case.wait_for_supervisor(process.pid)
        signal_case.wait_until(lambda: self.list_stopped(process), "one is stopped")
        return process

    @staticmethod
    def list_stopped(process):
        return [pid for pid in harness.list_descendants(process.pid)
                if signal_case.get_state(pid) == "T"]

    def escalate(self, process, expected=1):
        """The first and the second; each time those who get it say so."""
        process.terminate()
        self.expect_each(process, *["got 15"] * expected)
        self.assert_silent(process)
        time.sleep(signal_case.SAME_SIGNAL)
        process.terminate()
        self.expect_each(process, *["got 15"] * 5)
        self.assertEqual(self.list_stopped(process), [])

    def test_three_times(self):
        for options in WAYS:
            process = self.start_family(options)
            self.escalate(process)
            time.sleep(signal_case.SAME_SIGNAL)
            process.terminate()
            self.assert_ended(process, 128 + SIGKILL)

    def test_inside(self):
        """The same if the supervisor inside gets them itself."""
        for options in WAYS:
            process = self.start_family(options)
            inside = self.get_inside(process)
            process.terminate()
            self.expect(process, "got 15")
            time.sleep(signal_case.SAME_SIGNAL)
            os.kill(inside, SIGTERM)
            self.expect_each(process, *["got 15"] * 5)
            time.sleep(signal_case.SAME_SIGNAL)
            process.terminate()
            self.assert_ended(process, 128 + SIGKILL)

    def test_supervisor_inside_killed(self):
        """The one outside takes its place, with all that it does."""
        process = self.start_family([])
        harness.kill(self.get_inside(process))
        self.escalate(process)
        time.sleep(signal_case.SAME_SIGNAL)
        process.terminate()
        self.assert_ended(process, 128 + SIGKILL)

    def test_supervisor_inside_killed_between(self):
        process = self.start_family([])
        process.terminate()
        self.expect(process, "got 15")
        harness.kill(self.get_inside(process))
        time.sleep(signal_case.SAME_SIGNAL)
        process.terminate()
        self.expect_each(process, *["got 15"] * 5)
        time.sleep(signal_case.SAME_SIGNAL)
        process.terminate()
        self.assert_ended(process, 128 + SIGKILL)

    def test_status_after_supervisor_inside_killed(self):
        for number, words, status in ((SIGTERM, "clean=15,6", 6), (SIGINT, "clean=2,8", 8)):
            process = self.start_program(words, "say=ready", "pause")
            self.expect(process, "ready")
            signal_case.wait_for_supervisor(process.pid)
            harness.kill(self.get_inside(process))
            process.send_signal(number)
            self.expect(process, f"cleaning {int(number)}")
            self.assert_ended(process, status, f"cleaned {int(number)}")

    def test_same_again(self):
        """What comes at once is the same signal."""
        for options in WAYS:
            process = self.start_family(options)
            began = time.monotonic()
            for _ in range(20):
                process.terminate()
            duration = time.monotonic() - began
            self.assertLess(duration, signal_case.SAME_SIGNAL, "the machine is too slow")
            self.expect(process, "got 15")
            self.assert_silent(process)
            time.sleep(signal_case.SAME_SIGNAL)
            process.terminate()
            self.expect_each(process, *["got 15"] * 5)
            time.sleep(signal_case.SAME_SIGNAL)
            process.terminate()
            self.assert_ended(process, 128 + SIGKILL)

    def test_interrupts_do_not_count(self):
        for options in WAYS:
            process = self.start_program(catch(SIGINT, SIGTERM, SIGHUP), "fork",
                                         "say=child", "wait", "end", "say=ready", "wait",
                                         options=options)
            self.expect_each(process, "child", "ready")
            for number in (SIGINT, SIGHUP):
                process.send_signal(number)
                self.expect(process, f"got {int(number)}")
            time.sleep(signal_case.SAME_SIGNAL)
            for number in (SIGINT, SIGHUP, SIGTERM):
                process.send_signal(number)
                self.expect(process, f"got {int(number)}")
            self.assert_silent(process)
            self.assert_ended(process, 0)


class TimeoutTest(signal_case.SignalCase):
    """timeout(1) sends each signal twice: to the launcher, and to its process group."""

    def start_timeout(self, *words, options=(), foreground=False):
        """SIGALRM makes it do what it does when the time is over."""
        command = ["timeout", "--preserve-status", *(["--foreground"] if foreground else []), "600",
                   harness.PV_LAUNCH]
        return self.start("--runtime=scout", *options, "--", "signal-probe", *words,
                          command=command, bufsize=0)

    def test_background_goes_on(self):
        for options in WAYS:
            for foreground in (True, False):
                with self.subTest((options, foreground)):
                    process = self.start_timeout(
                        "clean-for=15,300,7", "fork", "setsid", catch(SIGTERM), "say=background",
                        "wait", "say=end", "end", "say=ready", "pause", options=options,
                        foreground=foreground)
                    self.expect_each(process, "ready", "background")
                    process.send_signal(signal.SIGALRM)
                    self.expect(process, "cleaning 15", "cleaned 15")
                    self.assert_silent(process)
                    self.assertIsNone(process.poll())
                    self.assertTrue(harness.is_locked(self.files / ".ref"))
                    self.assert_ended(process, 7, "end")

    def test_group(self):
        """A background process in the same group has it from there, once."""
        for options in WAYS:
            process = self.start_timeout("ignore=15", "fork", catch(SIGTERM), "say=background",
                                         "wait", "end", "say=ready", "wait", options=options)
            self.expect_each(process, "ready", "background")
            process.send_signal(signal.SIGALRM)
            self.expect(process, "got 15")
            self.assert_silent(process)
            self.assert_ended(process, 0)

    def test_foreground(self):
        """Only the launcher has it, and passes it on."""
        for options in WAYS:
            process = self.start_timeout("fork", catch(SIGTERM), "say=background", "wait", "end",
                                         catch(SIGTERM, MARKER), "say=ready", "wait",
                                         options=options, foreground=True)
            self.expect_each(process, "ready", "background")
            process.send_signal(signal.SIGALRM)
            self.expect(process, "got 15")
            self.assert_silent(process)
            self.assert_ended(process, 0)


class ProgramEndedTest(signal_case.SignalCase):
    """Where only background processes are left, what asks to end is for them."""

    def start_leftovers(self, options, *words):
        """Two; the status of the program is 5."""
        child = (catch(*signal_case.PASSED_ON), *words, "say=child", "wait", "end")
        process, reader = self.start_reporting("fork", *child, "fork", "setsid", *child, "exit=5",
                                               options=options)
        self.expect(process, "child", "child")
        self.assertEqual(self.wait_for_event(reader, "exited")["status"], 5)
        return process

    def test_each(self):
        for options in WAYS:
            process = self.start_leftovers(options)
            for number in (SIGUSR1, SIGUSR2, SIGWINCH, SIGINT, SIGHUP, SIGQUIT):
                process.send_signal(number)
                if number in (SIGINT, SIGHUP, SIGQUIT):
                    self.expect(process, *[f"got {int(number)}"] * 2)
            process.send_signal(SIGCONT)
            self.expect(process, "got 18", "got 18")
            process.send_signal(SIGTERM)
            self.expect_each(process, "got 15", "got 15", "got 18", "got 18")
            self.assert_ended(process, 5)

    def test_twice(self):
        for options in WAYS:
            process = self.start_leftovers(options)
            process.terminate()
            self.expect_each(process, "got 15", "got 15", "got 18", "got 18")
            time.sleep(signal_case.SAME_SIGNAL)
            process.terminate()
            self.assert_ended(process, 5)

    def test_stopped(self):
        for options in WAYS:
            process = self.start_leftovers(options, "default=15")
            for pid in harness.list_descendants(self.get_inside(process)):
                os.kill(pid, signal.SIGSTOP)
            process.terminate()
            self.assertEqual(process.wait(), 5)
            result = self.finish(process)
            self.assertLessEqual(set(result.text.splitlines()), {"got 18"})

    def test_supervisor_inside_killed(self):
        process = self.start_leftovers([])
        harness.kill(self.get_inside(process))
        process.send_signal(SIGINT)
        self.expect(process, "got 2", "got 2")
        process.terminate()
        self.expect_each(process, "got 15", "got 15", "got 18", "got 18")
        time.sleep(signal_case.SAME_SIGNAL)
        process.terminate()
        self.assert_ended(process, 5)


if __name__ == "__main__":
    harness.main()
