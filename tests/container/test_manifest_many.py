#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many launches that need the same runtime deployed, some of which are killed; and cleaners."""

import contextlib
import fcntl
import os
import random
import select
import signal
import subprocess
import time

import harness
import manifest_case
import strace

THOROUGH = os.environ.get("PV_TEST_THOROUGH") == "1"


class ManyTest(manifest_case.ManifestCase):
    """Many launches at once."""

    def test_exactly_one(self):
        self.make_large_depot()
        pipes = [os.pipe() for _ in range(8)]
        processes = [self.start("--runtime=scout", self.option, f"--status-fd={writer}", "--",
                                "probe", "exit", "0", pass_fds=[writer]) for _, writer in pipes]
        for _, writer in pipes:
            os.close(writer)
        n_deployed = 0
        for process, (reader, _) in zip(processes, pipes):
            result = self.finish(process)
            self.assertEqual(result.status, 0, result.err)
            self.assertLessEqual(len(result.lines), 1)
            for line in result.lines:
                self.assertRegex(line, r"^pv-launch: warning: Waiting up to 30 s for the lock ")
            with os.fdopen(reader) as file:
                n_deployed += file.read().count('"event":"deployed"')
        self.assertEqual(n_deployed, 1)
        self.assertEqual((self.files / "marker").stat().st_nlink, 2, "linked by one only")
        self.get_base()

    def test_waiting(self):
        """Who waits says for whom, once, and holds no lock of the parent; cleaners leave it."""
        self.make_large_depot()
        process, deployer = self.start_stopped()
        [staged] = [name for name in self.list_parent() if manifest_case.STAGED.match(name)]
        others = [self.start("--runtime=scout", self.option, "--", "probe", "exit", "0")
                  for _ in range(7)]
        for other in others:
            line = other.stderr.readline().decode()
            self.assertIn(f'Waiting up to 30 s for the lock "{self.parent}/{staged}/usr/.ref"',
                          line)
            self.assertIn(f"process {deployer} (pv-deploy --manifest={self.depot}/usr-mtree", line)
        harness.wait_until(lambda: harness.try_lock(self.parent / ".ref", fcntl.F_WRLCK))
        self.assertIn(f"{staged}: in use by {deployer} (pv-deploy", self.gc())
        result = self.launch(options=["--lock-timeout=0.2"])
        self.assertEqual(result.status, 125)
        self.assertIn(f"process {deployer} (pv-deploy", result.lines[-2])
        self.assertIn("--lock-timeout", result.lines[-1])
        result = self.launch(options=["--lock-timeout=0"])
        self.assert_failed(result, f"process {deployer} (pv-deploy")
        os.kill(deployer, signal.SIGCONT)
        for each in [process, *others]:
            self.assert_works(self.finish(each))
        self.get_base()

    def test_deployer_is_killed(self):
        """One of those who wait starts over."""
        self.make_large_depot()
        process, deployer = self.start_stopped()
        others = [self.start("--runtime=scout", self.option, "--", "probe", "exit", "0")
                  for _ in range(3)]
        for other in others:
            self.assertIn(b"Waiting", other.stderr.readline())
        os.kill(deployer, signal.SIGKILL)
        result = self.finish(process)
        self.assert_failed(result, "pv-deploy", "signal 9")
        for other in others:
            self.assertEqual(self.finish(other).status, 0)
        self.get_base()

    def test_launcher_is_killed(self):
        """Its deployer cleans up, and ends."""
        self.make_large_depot()
        for number in (signal.SIGKILL, signal.SIGTERM):
            process, deployer = self.start_stopped()
            process.send_signal(number)
            process.wait()
            os.kill(deployer, signal.SIGCONT)
            harness.wait_until(lambda: self.list_parent() == [".ref"])
            self.wait_for_children()
            self.assert_nothing_left()


class KillTest(manifest_case.ManifestCase):
    timeout = 1200 if THOROUGH else 200

    def end_all(self):
        for pid in harness.list_descendants(os.getpid()):
            fd = -1
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
            if fd >= 0:
                select.select([fd], [], [], 20)
                os.close(fd)
        self.wait_for_children()

    def check_next(self):
        """The next launch works, and then one run of the cleaner leaves nothing."""
        result = self.launch()
        self.assertEqual((result.status, result.text), (0, "first"), result.err)
        self.gc()
        self.get_base()
        harness.remove_tree(self.parent)

    def test_at_random(self):
        self.make_large_depot()
        chance = random.Random(4)
        for _ in range(200 if THOROUGH else 25):
            process = self.start("--runtime=scout", self.option, "--", "probe", "exit", "0")
            deployer = self.catch_deployer(process)
            time.sleep(chance.uniform(0, 0.03))
            if deployer is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice((deployer, process.pid)), signal.SIGKILL)
            self.finish(process)
            self.end_all()
            self.check_next()

    def test_at_each_step(self):
        strace.require(self)
        self.make_depot()
        before, _ = manifest_case.describe_source(self.files)
        log = self.folder / "strace"
        for calls in ("mkdirat", "openat", "openat2", "linkat", "symlinkat", "renameat2", "fcntl",
                      "unlinkat"):
            number, reached = 1, True
            while reached:
                with self.subTest(f"{calls} {number}"):
                    process = self.start("--runtime=scout", self.option, "--", "probe", "exit", "0",
                                         command=[*strace.inject(log, calls, "signal=SIGKILL",
                                                                 str(number)), harness.PV_LAUNCH],
                                         stdin=subprocess.DEVNULL)
                    self.finish(process)
                    self.end_all()
                    self.check_next()
                reached = strace.was_reached(log, number)
                number += 1 if THOROUGH else 1 + number // 3
        self.assertEqual(manifest_case.describe_source(self.files)[0], before)


class LeaseTest(manifest_case.ManifestCase):
    def setUp(self):
        super().setUp()
        self.make_depot()

    def test_overlay(self):
        """It depends on the base; the runtime is let go."""
        for mode in ((), ("--unshare-pid",)):
            process = self.start_waiting("--runtime=scout", self.option, "--copy-strategy=overlay",
                                         *mode)
            [base] = [name for name in self.list_parent() if manifest_case.BASE.match(name)]
            ref = self.parent / base / ".ref"
            self.assertFalse(harness.try_lock(ref, fcntl.F_WRLCK))
            self.assertTrue(harness.try_lock(ref, fcntl.F_RDLCK))
            self.assertFalse(harness.is_locked(self.files / ".ref"))
            self.assertFalse(harness.is_locked(self.parent / ".ref"))
            outside, inside = harness.find_supervisors(process.pid)
            text = self.gc()
            self.assertIn(f"{self.parent / base}: in use by {outside} (", text)
            # Its manifest is gone: it stays as long as it is used.
            os.utime(self.depot / "usr-mtree.txt.gz")
            self.assertIn(f"{self.parent / base}: in use by {outside} (", self.gc())
            self.assert_works(self.finish(process))
            self.assertIn(f"removed       {self.parent / base}\n", self.gc())
            self.assertEqual(self.list_parent(), [".ref"])
            self.assertGreater(inside, 0)

    def test_full_copy(self):
        """It depends on nothing."""
        for strategy in ("hardlink", "copy"):
            process = self.start_waiting("--runtime=scout", self.option,
                                         f"--copy-strategy={strategy}")
            [base] = [name for name in self.list_parent() if manifest_case.BASE.match(name)]
            self.assertTrue(harness.try_lock(self.parent / base / ".ref", fcntl.F_WRLCK))
            self.assertFalse(harness.is_locked(self.files / ".ref"))
            self.assert_works(self.finish(process))
            self.wait_for_children()

    def test_lock_inside(self):
        for strategy in ("overlay", "hardlink", "copy"):
            result = self.launch("probe", "lock", "/.ref", options=[f"--copy-strategy={strategy}"])
            self.assertEqual(result.text, "shared yes, exclusive no\n")
        self.wait_for_children()

    def test_gc(self):
        self.assert_marker(self.launch())
        base = self.get_base()
        self.assertEqual(self.gc(), f"left          {base}: its manifest "
                                    f"\"{self.depot}/usr-mtree.txt.gz\" is still there\n")
        self.assertIn('"outcome": "current"', self.gc("--json"))
        self.assertEqual(self.gc("--dry-run")[:4], "left")
        # One that was left half done, and one that nobody could ever lock.
        (self.parent / (".new-" + "0" * 32)).mkdir()
        (self.parent / (".new-" + "1" * 16) / "usr").mkdir(parents=True)
        (self.parent / (".new-" + "1" * 16) / "usr/.ref").touch()
        self.assertEqual(self.gc().count("removed  "), 2)
        (base / "usr/.ref").unlink()
        result = self.launch()
        self.assert_failed(result, str(base), "no lock file")
        self.assertIn("pvctl gc", result.lines[1])
        self.assertEqual(self.gc(), f"removed       {base}\n")
        self.assert_marker(self.launch())
        harness.remove_tree(self.depot)
        self.assertEqual(self.gc(), f"removed       {base}\n")
        self.assertEqual(self.list_parent(), [".ref"])

    def test_gc_beside_launches(self):
        loop = ["sh", "-c", 'for i in $(seq 60); do "$@" || exit; done', "sh",
                manifest_case.PVCTL, "gc",
                f"--parent={self.parent}"]
        self.assert_marker(self.launch())
        cleaner = self.start(command=loop, stdout=subprocess.DEVNULL)
        for number in range(30):
            if number % 5 == 0:
                os.utime(self.depot / "usr-mtree.txt.gz")
            result = self.launch()
            self.assertEqual((result.status, result.text), (0, "first"), result.err)
        result = self.finish(cleaner)
        self.assertEqual((result.status, result.err), (0, ""))
        self.gc()
        self.get_base()

    def test_without_ofd(self):
        self.environment["PV_LAUNCH_TEST_NO_OFD"] = "1"
        self.assert_marker(self.launch())
        process = self.start_waiting("--runtime=scout", self.option)
        [base] = [name for name in self.list_parent() if manifest_case.BASE.match(name)]
        self.assertFalse(harness.try_lock(self.parent / base / ".ref", fcntl.F_WRLCK))
        self.assert_works(self.finish(process))


if __name__ == "__main__":
    harness.main()
