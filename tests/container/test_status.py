#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What --status-fd says: one JSON object a line, so that who listens knows what failed."""

import contextlib
import fcntl
import json
import os
import signal
import tempfile
from signal import SIGKILL

import harness
import signal_case
from signal_case import WAYS, catch


class StatusCase(signal_case.SignalCase):
    def run_listening(self, *words, options=(), runtime="scout", **others):
        """To the end; returns the result and the events."""
        option, sending, reader = self.open_status()
        process = self.start(f"--runtime={runtime}", option, *options, "--", *words,
                             pass_fds=[sending], **others)
        os.close(sending)
        result = self.finish(process)
        return result, [json.loads(line) for line in reader]

    def assert_order(self, events, *names):
        self.assertEqual([event["event"] for event in events], list(names))
        times = [event["elapsed"] for event in events]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[0], 0)
        self.assertLess(times[-1], self.timeout)


class EventsTest(StatusCase):
    def test_order(self):
        for options in WAYS:
            for status in (0, 1, 125, 127, 255):
                result, events = self.run_listening("probe", "exit", str(status), options=options)
                self.assertEqual((result.status, result.err), (status, ""))
                self.assert_order(events, "resolved", "locked", "started", "exited")
                resolved, locked, started, exited = events
                self.assertEqual(resolved["runtime"], str(self.files))
                self.assertEqual(locked["locks"], [str(self.files / ".ref")])
                self.assertGreater(started["pid"], 0)
                self.assertEqual(exited["status"], status)

    def test_killed_by_its_pid(self):
        for options in WAYS:
            process, reader = self.start_reporting("pause", options=options)
            pid = self.wait_for_event(reader, "started")["pid"]
            signal_case.wait_until(lambda: signal_case.get_words(pid)[0] == b"signal-probe",
                                   "it is the program")
            os.kill(pid, SIGKILL)
            self.assertEqual(self.wait_for_event(reader, "exited")["status"], 128 + SIGKILL)
            self.assert_ended(process, 128 + SIGKILL)

    def test_waiting(self):
        ref = self.files / ".ref"
        for command in (fcntl.F_SETLK, fcntl.F_OFD_SETLK):
            with harness.hold_exclusive(ref, command) as release:
                process, reader = self.start_reporting("exit=0")
                event = self.wait_for_event(reader, "waiting")
                self.assertEqual((event["lock"], event["holder"]), (str(ref), os.getpid()))
                release()
            self.wait_for_event(reader, "locked")
            self.assertEqual(self.finish(process).status, 0)

    def test_background(self):
        """The program has ended, the launcher has not."""
        for options in WAYS:
            process, reader = self.start_reporting("fork", "setsid", "wait", "end", "exit=6",
                                                   options=options)
            self.assertEqual(self.wait_for_event(reader, "exited")["status"], 6)
            self.assertIsNone(process.poll())
            self.assertTrue(harness.is_locked(self.files / ".ref"))
            self.assert_ended(process, 6)
            self.assertEqual(reader.read(), "")

    def test_supervisor_inside_killed(self):
        for options in WAYS:
            process, reader = self.start_reporting("say=ready", "wait", "exit=6", options=options)
            self.expect(process, "ready")
            signal_case.wait_for_supervisor(process.pid)
            harness.kill(self.get_inside(process))
            status = 128 + SIGKILL if options else 6
            self.assert_ended(process, status)
            self.assertEqual(self.wait_for_event(reader, "exited")["status"], status)
            self.assertEqual(reader.read(), "")

    def test_signal(self):
        for options in WAYS:
            process, reader = self.start_reporting("say=ready", "pause", options=options)
            self.expect(process, "ready")
            process.terminate()
            self.assert_ended(process, 128 + signal.SIGTERM)
            self.assertEqual(self.wait_for_event(reader, "exited")["status"], 143)


class FailedTest(StatusCase):
    """It was the launcher that failed, or a program that cannot be started."""

    def assert_event(self, result, events, status):
        self.assertEqual(result.status, status)
        self.assertEqual([event["event"] for event in events].count("failed"), 1)
        self.assertEqual((events[-1]["event"], events[-1]["status"]), ("failed", status))
        self.assertNotIn("exited", [event["event"] for event in events])
        self.assertNotIn("started", [event["event"] for event in events])

    def test_no_runtime(self):
        result, events = self.run_listening("probe", runtime="none")
        self.assert_event(result, events, 125)
        self.assert_order(events, "failed")
        self.assertEqual(result.lines[0], "pv-launch: " + events[0]["message"])

    def test_bubblewrap(self):
        bwrap = self.work / "bwrap"
        bwrap.write_text("#!/bin/sh\necho 'bwrap: Can'\\''t mount proc on /newroot/proc' >&2\nexit 1")
        bwrap.chmod(0o755)
        for path in (bwrap, self.work / "none"):
            result, events = self.run_listening("probe", environment={"PV_LAUNCH_BWRAP": str(path)})
            self.assert_event(result, events, 125)
            self.assertEqual(result.lines[0], "pv-launch: " + events[-1]["message"])

    def test_locked(self):
        with harness.hold_exclusive(self.files / ".ref"):
            result, events = self.run_listening("probe", options=["--lock-timeout=0"])
        self.assert_event(result, events, 125)
        self.assertIn(str(self.files / ".ref"), events[-1]["message"])

    def test_program(self):
        (self.files / "bin/data").write_text("x")
        for options in WAYS:
            for name, status in (("none", 127), ("/usr/none", 127), ("data", 126), ("/usr", 126)):
                result, events = self.run_listening(name, options=options)
                self.assert_event(result, events, status)
                self.assert_failed(result, f'"{name}"', status=status)


class ListenerTest(StatusCase):
    """Who listens, or does not, makes no difference to the program."""

    def test_gone(self):
        for options in WAYS:
            receiving, sending = os.pipe()
            os.close(receiving)
            result = self.run_launch("--runtime=scout", f"--status-fd={sending}", *options, "--",
                                     "probe", "exit", "4", pass_fds=[sending])
            os.close(sending)
            self.assertEqual((result.status, result.err), (4, ""))

    def test_goes_meanwhile(self):
        for options in WAYS:
            process, reader = self.start_reporting("say=ready", "wait", "exit=4", options=options)
            self.expect(process, "ready")
            reader.close()
            self.assert_ended(process, 4)

    def test_does_not_read(self):
        """A full pipe stops nothing, whether it blocks or not."""
        for blocking in (False, True):
            for options in WAYS:
                option, sending, _ = self.open_status()
                os.set_blocking(sending, False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        os.write(sending, bytes(4096))
                os.set_blocking(sending, blocking)
                result = self.run_launch("--runtime=scout", option, *options, "--", "probe",
                                         "exit", "4", pass_fds=[sending])
                os.close(sending)
                self.assertEqual((result.status, result.err), (4, ""))

    def test_file(self):
        with tempfile.TemporaryFile(dir=self.work) as file:
            for number in (1, 2):
                result = self.run_launch("--runtime=scout", f"--status-fd={file.fileno()}", "--",
                                         "probe", pass_fds=[file.fileno()])
                self.assert_works(result)
                file.seek(0)
                self.assertEqual(len([json.loads(line) for line in file]), 4 * number)

    def test_not_the_programs(self):
        """Nor that of the supervisor inside."""
        for options in WAYS:
            option, sending, reader = self.open_status()
            process = self.start("--runtime=scout", option, *options, "--", "probe", "--wait", "fds",
                                 pass_fds=[sending])
            inode = os.fstat(sending).st_ino
            os.close(sending)
            said = self.read_until(process, b"ready\n").decode()
            self.assertNotIn(f":{inode} ", said)
            signal_case.wait_for_supervisor(process.pid)
            outside, inside = harness.find_supervisors(process.pid)
            self.assertIn(f"pipe:[{inode}]", self.list_targets(outside))
            for pid in harness.list_descendants(outside):
                self.assertNotIn(f"pipe:[{inode}]", self.list_targets(pid))
            self.assertEqual(self.finish(process).status, 0)
            self.wait_for_event(reader, "exited")

    @staticmethod
    def list_targets(pid):
        folder = f"/proc/{pid}/fd"
        return [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]

    def test_bad_number(self):
        with open("/dev/null", "rb") as null:
            for number in ("x", "-1", "", "987", "99999999999", str(null.fileno())):
                result = self.run_launch("--runtime=scout", f"--status-fd={number}", "--", "probe",
                                         pass_fds=[null.fileno()])
                self.assert_failed(result, f"--status-fd={number}")

    def test_broken_pipe_is_the_programs(self):
        """That the launcher looks away from it is not inherited."""
        process, reader = self.start_reporting(catch(signal.SIGPIPE), "default=13", "signal=13")
        self.wait_for_event(reader, "exited")
        self.assert_ended(process, 128 + signal.SIGPIPE)


if __name__ == "__main__":
    harness.main()
