#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mutable copies beside cleaners, ours and those of others, and while anybody may be killed."""

import contextlib
import fcntl
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import copy_case
import harness
import strace

SECONDS = 60 if copy_case.THOROUGH else 10
LAUNCHERS = 8

# What is said when a launch has waited for more than 50 ms.
WAITING = "pv-launch: warning: Waiting up to "
LOCK_TIMEOUT = 30

FOREIGN_CLEANER = [sys.executable, str(pathlib.Path(__file__).with_name("foreign_cleaner.py"))]

KILL_EVERY = 0.1


class Launch:
    """One that is over."""

    def __init__(self, words, status, out, err, seconds):
        self.words = words
        self.status = status
        self.seconds = seconds
        self.lines = err.decode(errors="replace").splitlines()
        self.events = []
        for line in out.splitlines():
            with contextlib.suppress(ValueError):
                self.events.append(json.loads(line)["event"])

    def __repr__(self):
        return f"{self.words}: status {self.status}, {self.seconds:.2f} s, {self.lines}"

    @property
    def has_waited(self):
        return "waiting" in self.events


class RaceCase(copy_case.CopyCase):
    timeout = SECONDS + 60

    def setUp(self):
        super().setUp()
        self.make_root()
        self.over = threading.Event()
        self.results = []
        self.problems = []
        self.chance = random.Random(5)
        strategies = [*copy_case.STRATEGIES, "auto"]
        if copy_case.can_reflink(self.work):
            strategies.append("reflink")
        self.words = [(runtime, strategy, *options) for runtime in copy_case.LAYOUTS
                      for strategy in strategies for options in ((), ("--unshare-pid",))]

    def loop(self, function):
        """In a thread, until it is over."""
        def run():
            while not self.over.is_set():
                try:
                    function()
                except Exception as error:  # pylint: disable=broad-except
                    self.problems.append(repr(error))
                    return

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.over.set)
        return thread

    def launch_one(self):
        runtime, strategy, *options = words = self.chance.choice(self.words)
        began = time.monotonic()
        process = subprocess.run(
            [harness.PV_LAUNCH, f"--runtime={runtime}", self.option, f"--copy-strategy={strategy}",
             "--status-fd=1", f"--lock-timeout={LOCK_TIMEOUT}", *options, "--", "probe", "look",
             str(self.chance.randrange(30)), "/usr/marker", "/usr/bin/probe", "/usr/.ref"],
            env=self.environment, cwd=self.work, stdin=subprocess.DEVNULL, capture_output=True,
            check=False)
        self.results.append(Launch(words, process.returncode, process.stdout, process.stderr,
                                   time.monotonic() - began))

    def clean_as_others(self):
        """One process, as long as nobody kills it."""
        process = subprocess.Popen([*FOREIGN_CLEANER, str(self.parent)], stderr=subprocess.PIPE)
        while not self.over.wait(0.05) and process.poll() is None:
            pass
        process.kill()
        err = process.communicate()[1]
        if err:
            self.problems.append(err.decode())

    def clean(self):
        result = subprocess.run([copy_case.PVCTL, "gc"], env=self.environment, capture_output=True,
                                check=False)
        if result.returncode > 0 or result.stderr:
            self.problems.append(f"gc: {result.returncode}, {result.stderr}")

    def race(self, *cleaners, seconds=SECONDS):
        # The parent is there from the beginning.
        self.assert_works(self.run_copy("exit", "0"))
        threads = [self.loop(function) for function in (*cleaners, *[self.launch_one] * LAUNCHERS)]
        time.sleep(seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(self.problems, [])
        waited = sum(result.has_waited for result in self.results)
        longest = max(result.seconds for result in self.results)
        print(f"# {len(self.results)} launches, {waited} have waited, the longest: {longest:.2f} s")

    def check_launches(self):
        """All have worked, and in time."""
        self.assertGreater(len(self.results), LAUNCHERS)
        for result in self.results:
            said = [line for line in result.lines if not line.startswith(WAITING)]
            self.assertEqual((result.status, said), (0, []), result)
            self.assertLess(result.seconds, LOCK_TIMEOUT / 2, result)

    def run_both_once_more(self):
        for runtime in copy_case.LAYOUTS:
            self.assert_next_works(runtime)
        harness.wait_until(lambda: not harness.list_descendants(os.getpid()))


class CleanerTest(RaceCase):
    def test_others(self):
        self.race(self.clean_as_others)
        self.check_launches()
        self.run_both_once_more()
        subprocess.run([*FOREIGN_CLEANER, str(self.parent), "1"], check=True)
        self.assertEqual(self.list_parent(), [".ref"])

    def test_ours(self):
        """Nobody waits for it: not longer than until another process has had its turn."""
        self.race(self.clean, seconds=SECONDS * 0.4)
        self.check_launches()
        waited = [result for result in self.results if result.has_waited]
        self.assertLessEqual(len(waited), len(self.results) // 20, waited)
        self.run_both_once_more()
        self.assert_clean()

    def test_both(self):
        self.race(self.clean, self.clean_as_others, seconds=SECONDS * 0.4)
        self.check_launches()
        self.run_both_once_more()
        self.assert_clean()


class WaitTest(copy_case.CopyCase):
    def test_said(self):
        """Whoever waits for a cleaner that holds the parent for long says so, once."""
        self.assert_works(self.run_copy("exit", "0"))
        with harness.hold_exclusive(self.parent / ".ref") as release:
            process = self.start("--runtime=scout", self.option, "--status-fd=1", "--", "probe",
                                 "exit", "0")
            line = process.stderr.readline().decode()
            release()
        self.assertTrue(line.startswith(WAITING) and str(self.parent) in line, line)
        result = self.finish(process)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(result.text.count('"waiting"'), 1, result.text)
        with harness.hold_exclusive(self.parent / ".ref"):
            result = self.run_copy("exit", "0", options=["--lock-timeout=0"])
            self.assert_failed(result, str(self.parent / ".ref"))

    def test_gone_meanwhile(self):
        """What somebody else deletes while a cleaner looks at it is no failure."""
        strace.require(self)
        log = self.folder / "strace"
        copy = self.parent / "tmp-left"
        (copy / "usr").mkdir(parents=True)
        (copy / "usr/.ref").touch()
        (self.parent / ".ref").touch()
        # Between two calls: it looks at the lock file, and locks it.
        command = strace.inject(log, "openat2", "delay_enter=400000", "2", [copy])
        process = self.start(f"--parent={self.parent}", command=[*command, copy_case.PVCTL, "gc"])
        harness.wait_until(lambda: log.exists() and "(" in log.read_text())
        harness.remove_tree(copy)
        result = self.finish(process)
        self.assertEqual((result.status, result.out, result.err), (0, b"", ""))
        self.assertEqual(self.list_parent(), [".ref"])

    def test_deleting(self):
        """A cleaner of ours deletes when it has let go of the parent."""
        strace.require(self)
        (self.parent / "tmp-left/usr").mkdir(parents=True)
        (self.parent / "tmp-left/usr/file").touch()
        (self.parent / ".ref").touch()
        command = strace.inject(self.folder / "strace", "unlinkat", "delay_enter=300000")
        process = self.start(f"--parent={self.parent}", command=[*command, copy_case.PVCTL, "gc"])
        harness.wait_until((self.parent / ".trash-left").exists)
        harness.wait_until(lambda: harness.try_lock(self.parent / ".ref", fcntl.F_WRLCK))
        self.assertTrue((self.parent / ".trash-left").exists(), "it held the parent meanwhile")
        result = self.finish(process)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(self.list_parent(), [".ref"])


class KillTest(RaceCase):
    def kill_one(self):
        """Whoever it is: a launcher, a supervisor, bubblewrap, the program, a cleaner."""
        time.sleep(KILL_EVERY)
        pids = harness.list_descendants(os.getpid())
        if not pids:
            return
        pid = self.chance.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                # It still is the one that was chosen.
                if pid in harness.list_descendants(os.getpid()):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
            finally:
                os.close(fd)

    def test_all(self):
        self.race(self.clean, self.clean_as_others, self.kill_one, seconds=SECONDS * 0.8)
        for result in self.results:
            self.assertFalse([line for line in result.lines if line.startswith("probe: /")], result)
            self.assertLess(result.seconds, LOCK_TIMEOUT / 2, result)
        # Programs that have lost all who waited for them end by themselves.
        end = time.monotonic() + LOCK_TIMEOUT / 2
        while left := harness.list_descendants(os.getpid()):
            self.assertLess(time.monotonic(), end, list(map(harness.describe_process, left)))
            self.reap()
            time.sleep(0.01)
        self.run_both_once_more()
        self.assert_clean()


class LetGoTest(copy_case.CopyCase):
    """Two that let go of one copy at the same moment."""

    def share(self, copy):
        """As whoever has joined the container does."""
        fd = os.open(copy / "usr/.ref", os.O_RDONLY | os.O_CLOEXEC)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_RDLCK))
        return fd

    def remove(self, copy):
        """Returns: whether nobody else was there"""
        try:
            fd = os.open(copy / "usr/.ref", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_WRLCK))
            if not os.path.samestat(os.fstat(fd), os.stat(copy / "usr/.ref")):
                return False
            trash = copy.rename(copy.with_name(".trash-another"))
        except (BlockingIOError, FileNotFoundError):
            return False
        finally:
            os.close(fd)
        harness.remove_tree(trash)
        return True

    def test_two(self):
        chance = random.Random(6)
        removed = 0
        count = 400 if copy_case.THOROUGH else 60
        for _ in range(count):
            process = self.start_waiting("--runtime=scout", self.option)
            copy = self.get_copy()
            fd = self.share(copy)
            process.stdin.close()
            # From the end of the program to that of the supervisor.
            time.sleep(chance.choice((0, chance.uniform(0, 0.006))))
            self.assertTrue((copy / "usr/.ref").exists(), "it was removed while it was held")
            os.close(fd)
            removed += self.remove(copy)
            self.assert_works(self.finish(process))
            self.assertEqual(self.list_parent(), [".ref"])
        print(f"# {removed} of {count} were removed by the one who had joined")
        self.assertGreater(removed, 0)
        self.assertLess(removed, count)

    def test_held(self):
        """Whoever stays removes it; until then nobody does."""
        process = self.start_waiting("--runtime=scout", self.option)
        copy = self.get_copy()
        fd = self.share(copy)
        self.assert_works(self.finish(process))
        self.assertIn("left ", self.gc())
        self.assertTrue((copy / "usr/.ref").exists())
        os.close(fd)
        self.assertTrue(self.remove(copy))
        self.assertEqual(self.list_parent(), [".ref"])


class KilledTest(copy_case.CopyCase):
    def test_deleted_by_anybody(self):
        """What a killed launch leaves is deleted by an ordinary user's rm."""
        self.make_root()
        if harness.is_root():
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, harness.ORDINARY_UID, harness.ORDINARY_UID, follow_symlinks=False)
            self.environment["XDG_STATE_HOME"] = str(self.folder / "home")
        for runtime in copy_case.LAYOUTS:
            for strategy in copy_case.STRATEGIES:
                with self.subTest(runtime=runtime, strategy=strategy):
                    command = harness.as_ordinary_user([harness.PV_LAUNCH])
                    process = self.start_waiting(f"--runtime={runtime}", self.option,
                                                 f"--copy-strategy={strategy}", command=command)
                    for pid in [process.pid, *harness.list_descendants(process.pid)]:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    process.wait()
                    self.wait_for_children()
                    copy = self.get_copy()
                    result = self.finish(self.start(
                        copy, command=harness.as_ordinary_user(["rm", "-rf"])))
                    self.assertEqual((result.status, result.err), (0, ""))
                    self.assertEqual(self.list_parent(), [".ref"])


if __name__ == "__main__":
    harness.main()
