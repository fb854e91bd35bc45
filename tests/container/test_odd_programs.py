#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that make it hard to wait for them, many at once, and runtimes that have little."""

import contextlib
import os
import pathlib
import signal
import time

import harness

MODES = ([], ["--unshare-pid"])
# Signals of one kind that come within 0.2 s count once.
BETWEEN_SIGNALS = 0.25
MANY_MS = "100000"

# Ends with status 3, and leaves a process that keeps only standard input, until its end.
SCRIPT = "exec 3<&0\ncat <&3 >/dev/null 2>&1 3<&- &\nexit 3\n"


def get_stat(pid):
    """The fields of /proc/PID/stat from the state on."""
    return dict(harness.list_processes())[pid]


def has_lock(pid, path):
    """Whether the process has a lock on the file."""
    inode = os.stat(path).st_ino
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        for line in info.read_text().splitlines():
            if line.startswith("lock:") and line.split()[-3].endswith(f":{inode}"):
                return True
    return False


class OddProgramTest(harness.LockCase):
    timeout = 30

    def start_probe(self, options, *words):
        return self.start("--runtime=scout", *options, "--", "probe", *words)

    def assert_over(self, process, status):
        self.assertEqual(process.wait(), status)
        self.assert_free()
        self.assertEqual(process.stderr.read(), b"")
        self.assert_nothing_left()

    @harness.in_each_mode
    def test_stops_its_parent(self, options):
        """Who is process 1 in a PID namespace cannot be stopped from there, else pv-launch wakes
        it."""
        process = self.start_probe(options, "--wait", "stop")
        self.read_until(process, b"ready\n")
        _, inside = harness.find_supervisors(process.pid)
        harness.wait_until(lambda: get_stat(inside)[0] != "T")
        self.assert_still_held()
        self.assertNotEqual(get_stat(inside)[0], "T")
        # Somebody else does, when bubblewrap has gone.
        harness.wait_until(lambda: len(harness.list_descendants(process.pid, zombies=True)) == 2)
        os.kill(inside, signal.SIGSTOP)
        process.stdin.close()
        self.assert_over(process, 0)

    @harness.in_each_mode
    def test_stops_its_parent_and_ends(self, options):
        """On one processor: the parent may not have come to say that the program runs."""
        one = {min(os.sched_getaffinity(0))}
        for _ in range(20):
            process = self.start("--runtime=scout", *options, "--", "probe", "stop",
                                 preexec_fn=lambda: os.sched_setaffinity(0, one))
            self.assert_over(process, 0)

    def test_kills_its_parent(self):
        """At once, before that one can say that the program runs."""
        one = {min(os.sched_getaffinity(0))}
        for _ in range(20):
            process = self.start("--", "/bin/sh", "-c", "kill -KILL $PPID; sleep 0.05; exit 6",
                                 preexec_fn=lambda: os.sched_setaffinity(0, one))
            self.assertEqual(self.finish(process).status, 6)

    @harness.in_each_mode
    def test_subreaper(self, options):
        """What it has taken in comes to the supervisor when it has ended."""
        process = self.start_probe(options, "subreaper", "7")
        self.read_until(process, b"ready\n")
        _, inside = harness.find_supervisors(process.pid)
        harness.wait_until(lambda: len(harness.list_descendants(inside)) == 1)
        self.assert_still_held()
        self.assertIsNone(process.poll())
        process.stdin.close()
        self.assert_over(process, 7)

    @harness.in_each_mode
    def test_many_children(self, options):
        """What comes to the supervisor and has ended is waited for at once, not at the end."""
        process = self.start_probe(options, "--wait", "many", "1000")
        self.read_until(process, b"ready\n")
        _, inside = harness.find_supervisors(process.pid)
        harness.wait_until(lambda: len(harness.list_descendants(inside, zombies=True)) == 1)
        self.assert_held()
        process.stdin.close()
        self.assert_over(process, 0)

    @harness.in_each_mode
    def test_ignores_term(self, options):
        """The third one kills."""
        process = self.start_probe(options, "--wait", "ignore", "background", "lease", MANY_MS)
        self.read_until(process, b"ready\n")
        for _ in range(2):
            process.terminate()
            self.assert_still_held(seconds=BETWEEN_SIGNALS)
            self.assertIsNone(process.poll())
        process.terminate()
        self.assert_over(process, 128 + signal.SIGKILL)

    @harness.in_each_mode
    def test_ignores_term_after_the_program(self, options):
        """What it leaves is killed when the time is over."""
        process = self.start_probe(["--terminate-timeout=0.5", *options], "ignore", "orphan")
        self.read_until(process, b"ready\n")
        self.assert_still_held()
        self.assertIsNone(process.poll())
        self.assert_over(process, 5)

    @harness.in_each_mode
    def test_without_shebang(self, options):
        minimal = self.get_runtime("minimal")
        script = self.work / "script"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        process = self.start(f"--runtime={minimal}", *options, "--", "./script")
        harness.wait_until(lambda: b"cat\0" in self.get_commands(process))
        self.assertTrue(has_lock(process.pid, minimal / ".ref"))
        self.assertIsNone(process.poll())
        process.stdin.close()
        self.assertEqual((process.wait(), process.stderr.read()), (3, b""))
        self.assert_nothing_left()

    @staticmethod
    def get_commands(process):
        commands = []
        for pid in harness.list_descendants(process.pid):
            with contextlib.suppress(OSError):
                commands.append(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        return commands

    @harness.in_each_mode
    def test_missing(self, options):
        process = self.start("--runtime=scout", *options, "--", "missing")
        self.assertEqual(process.wait(), 127)
        self.assert_free()
        self.assert_nothing_left()
        self.assert_failed(self.finish(process), '"missing"', status=127)


class CrowdTest(harness.LockCase):
    """Many launches at once."""

    timeout = 60
    count = 200

    @staticmethod
    def count_open_files():
        return int(pathlib.Path("/proc/sys/fs/file-nr").read_text().split()[0])

    def test_crowd(self):
        descriptors = sorted(os.listdir("/proc/self/fd"))
        files = self.count_open_files()
        with open(self.work / "errors", "ab") as errors:
            processes, answers, end = self.start_crowd(errors)
        ready = 0
        while ready < self.count:
            ready += os.read(answers, 6 * self.count).count(b"\n")
        self.assert_held()
        # What the programs have left goes on.
        self.assertEqual([process.poll() for process in processes], [None] * self.count)
        os.close(end)
        self.assertEqual([process.wait() for process in processes], list(range(self.count)))
        self.assert_free()
        os.close(answers)
        self.assertEqual((self.work / "errors").read_text(), "")
        self.assert_nothing_left()
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), descriptors)
        # Others are at work on this machine too; each launch has opened more than ten.
        harness.wait_until(lambda: self.count_open_files() < files + 5 * self.count)

    def start_crowd(self, errors):
        """Each leaves a process which ends with the input that all have."""
        data, end = os.pipe()
        answers, answer = os.pipe()
        processes = []
        for number in range(self.count):
            word = ("orphan", "subreaper")[number // 2 % 2]
            processes.append(self.start(
                "--runtime=scout", *MODES[number % 2], "--", "probe", word, str(number),
                stdin=data, stdout=answer, stderr=errors))
        os.close(data)
        os.close(answer)
        return processes, answers, end


class OldRuntimeTest(harness.Case):
    """The supervisor brings all that it needs; the runtime of most tests has no libc at all."""

    timeout = 30

    def assert_supervised(self, files, *options):
        read_end, write_end = os.pipe()
        process = self.start(f"--runtime={files}", f"--status-fd={write_end}", *options, "--", "sh",
                             "-c", SCRIPT, pass_fds=[write_end])
        os.close(write_end)
        with open(read_end, "rb") as events:
            while b'"exited"' not in events.readline():
                pass
        outside, inside = harness.find_supervisors(process.pid)
        for pid in (outside, inside):
            self.assertTrue(has_lock(pid, files / ".ref"))
            self.assertNotIn(".so", pathlib.Path(f"/proc/{pid}/maps").read_text())
        self.assertEqual(len(harness.list_descendants(inside, zombies=True)), 1)
        self.assertIsNone(process.poll())
        return process, inside

    @harness.in_each_mode
    def test_recipes(self, options):
        for name in ("debian11", "debian11-root", "debian13", "minimal"):
            with self.subTest(name):
                process, _ = self.assert_supervised(self.get_runtime(name), *options)
                process.stdin.close()
                self.assertEqual((process.wait(), process.stderr.read()), (3, b""))
                self.assert_nothing_left()

    def test_killed(self):
        """The one outside takes its place."""
        files = self.get_runtime("debian11")
        process, inside = self.assert_supervised(files)
        harness.kill(inside)
        started = time.monotonic()
        while time.monotonic() < started + 0.15:
            self.assertTrue(has_lock(process.pid, files / ".ref"))
            self.assertIsNone(process.poll())
        process.stdin.close()
        self.assertEqual((process.wait(), process.stderr.read()), (3, b""))
        self.assert_nothing_left()


class OddProgramWithoutOfdTest(harness.WithoutOfd, OddProgramTest):
    pass


class CrowdWithoutOfdTest(harness.WithoutOfd, CrowdTest):
    pass


class OldRuntimeWithoutOfdTest(harness.WithoutOfd, OldRuntimeTest):
    pass


if __name__ == "__main__":
    harness.main()
