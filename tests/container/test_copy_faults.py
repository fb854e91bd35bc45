#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever makes or removes a mutable copy is killed at any step."""

import contextlib
import errno
import os
import signal
import subprocess
import time

import copy_case
import harness
import strace

# Each process is killed at its first call, its second, its third...; not all of them every time.
STRIDE = 1 if copy_case.THOROUGH else 8

# What is done in the parent and in the copy; the last are done by bubblewrap, too.
CALLS = ("mkdirat", "openat2", "linkat", "symlinkat", "renameat2", "unlinkat", "fcntl", "mount")

# Nobody is left waiting longer than that.
PATIENCE = 10


class SweepTest(copy_case.CopyCase):
    timeout = 3000 if copy_case.THOROUGH else 120

    def setUp(self):
        super().setUp()
        strace.require(self)
        self.make_root()
        self.log = self.folder / "strace"
        self.offset = 0

    def forget(self):
        """So that the parent is made anew as well."""
        for folder in (self.parent, self.folder / "state"):
            with contextlib.suppress(FileNotFoundError):
                harness.remove_tree(folder)

    def end_orphans(self, what):
        """Whoever has lost all who would tell it to go on."""
        end = time.monotonic() + PATIENCE
        while left := harness.list_descendants(os.getpid()):
            if time.monotonic() > end:
                self.fail(f"{what}: left " + "; ".join(map(harness.describe_process, left)))
            time.sleep(0.002)
            self.reap()

    def launch(self, calls, number, runtime, strategy, paths=()):
        """Returns: whether anybody was killed"""
        prefix = strace.inject(self.log, calls, "signal=SIGKILL", str(number), paths)
        process = self.start(f"--runtime={runtime}", self.option, f"--copy-strategy={strategy}",
                             "--", "probe", "cat", "/usr/marker",
                             command=[*prefix, harness.PV_LAUNCH],
                             stdin=subprocess.DEVNULL)
        self.finish(process)
        self.end_orphans(f"{strategy} {runtime} {calls} {number}")
        return strace.was_reached(self.log, number)

    def sweep(self, calls, runtime, strategy, paths=()):
        self.offset += 1
        number = 1 + self.offset % STRIDE
        while True:
            self.forget()
            reached = self.launch(calls, number, runtime, strategy, paths)
            self.assert_next_works(runtime, [f"--copy-strategy={strategy}"])
            self.assert_clean()
            if not reached:
                return
            self.assertRegex(self.log.read_text(errors="replace"), r"= \?\n")
            number += STRIDE

    def check(self, strategy):
        for runtime in copy_case.LAYOUTS:
            before = copy_case.describe_tree(self.work / runtime)
            links = copy_case.count_links(self.work / runtime)
            for calls in CALLS:
                with self.subTest(runtime=runtime, calls=calls):
                    self.sweep(calls, runtime, strategy)
            with self.subTest(runtime=runtime, calls="openat in the parent"):
                self.sweep("openat", runtime, strategy, [self.parent])
            self.assertEqual(copy_case.describe_tree(self.work / runtime), before)
            self.assertEqual(copy_case.count_links(self.work / runtime), links)

    def test_overlay(self):
        self.check("overlay")

    def test_hardlink(self):
        self.check("hardlink")

    def test_copy(self):
        self.check("copy")


class ErrorTest(copy_case.CopyCase):
    """What cannot be done is said in one line, or done in another way."""

    def setUp(self):
        super().setUp()
        strace.require(self)
        self.make_root()

    def launch(self, strategy, calls, error, *options, runtime="scout", **others):
        prefix = strace.inject(self.folder / "strace", calls, f"error={error}", **others)
        return self.finish(self.start(
            f"--runtime={runtime}", self.option, f"--copy-strategy={strategy}", *options,
            "--", "probe", "cat", "/usr/marker", command=[*prefix, harness.PV_LAUNCH]))

    def assert_refused(self, result, error):
        self.assert_failed(result, f"{self.parent}", os.strerror(getattr(errno, error)))
        if self.parent.exists():
            self.assertIn(self.list_parent(), ([], [".ref"]))

    def check_refused(self, strategy, calls, error, *options, **others):
        for runtime in copy_case.LAYOUTS:
            with self.subTest(f"{strategy} {runtime} {calls} {error} {others}"):
                result = self.launch(strategy, calls, error, *options, runtime=runtime, **others)
                self.assert_refused(result, error)

    def test_folders(self):
        """The copy's own, and those in it."""
        for strategy in ("auto", *copy_case.STRATEGIES):
            for number, error in enumerate(("ENOSPC", "EDQUOT", "EROFS", "EMLINK"), 1):
                self.check_refused(strategy, "mkdirat", error, when=str(number % 2 + 1))
        for number in (3, 4):
            self.check_refused("overlay", "mkdirat", "ENOSPC", "--writable-copy", when=str(number))

    def test_lock_file(self):
        for strategy in copy_case.STRATEGIES:
            self.run_copy("exit", "0")
            # The first is the registry's.
            self.check_refused(strategy, "symlinkat", "ENOSPC", when="1+")

    def test_links(self):
        for error in ("ENOSPC", "EDQUOT", "EROFS"):
            self.check_refused("hardlink", "linkat", error, when="1")
        for error in ("EPERM", "EXDEV"):
            for runtime in copy_case.LAYOUTS:
                result = self.launch("hardlink", "linkat", error, runtime=runtime)
                self.assert_failed(result, str(self.work / runtime),
                                   os.strerror(getattr(errno, error)))
                self.assertEqual(self.list_parent(), [".ref"])

    def test_contents(self):
        """Of which the kernel copies some, and the launcher the others."""
        for calls in ("fchmod", "fsetxattr", "copy_file_range,sendfile,pwrite64"):
            os.setxattr(self.files / "marker", "user.test", b"x")
            os.setxattr(self.work / "root/files/usr/marker", "user.test", b"x")
            self.check_refused("copy", calls, "ENOSPC")

    def test_no_overlay(self):
        for error in ("EPERM", "ENOSYS", "ENODEV", "EINVAL"):
            for runtime in copy_case.LAYOUTS:
                with self.subTest(error, runtime=runtime):
                    result = self.launch("overlay", "mount", error, runtime=runtime,
                                         paths=["overlay"])
                    self.assert_refused(result, error)
                    self.check_next("mount", error, "hardlink", runtime=runtime, paths=["overlay"])

    def test_no_namespaces(self):
        log = self.folder / "strace"
        command = ["strace", "-qq", "-o", str(log), "-e", "trace=clone", harness.PV_LAUNCH]
        self.assert_works(self.finish(self.start("--runtime=scout", self.option, "--", "probe",
                                                 "exit", "0", command=command)))
        calls = [line for line in log.read_text().splitlines() if line.startswith("clone(")]
        [number] = [number for number, line in enumerate(calls, 1) if "CLONE_NEWNS" in line]
        for error in ("EPERM", "ENOSYS", "ENOSPC"):
            with self.subTest(error):
                result = self.launch("overlay", "clone", error, when=str(number), children=False)
                self.assert_refused(result, error)
                self.check_next("clone", error, "hardlink", when=str(number), children=False)

    def check_next(self, calls, error, strategy, **others):
        """auto takes it, and says so."""
        result = self.launch("auto", calls, error, "--verbose", **others)
        self.assertEqual((result.status, result.out), (0, b"first"), result.err)
        made = [line for line in result.lines if "Made the mutable copy" in line]
        if copy_case.can_reflink(self.work):
            strategy = "reflink"
        self.assertTrue(made[-1].endswith(f" by {strategy}"), made)
        reasons = [line for line in result.lines if os.strerror(getattr(errno, error)) in line]
        self.assertTrue(reasons, result.err)
        self.wait_until_removed()

    def test_rename(self):
        """On a filesystem that cannot rename without replacing."""
        for strategy in copy_case.STRATEGIES:
            result = self.launch(strategy, "renameat2", "EINVAL")
            self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))
            self.wait_until_removed()

    def test_neither_overlay_nor_links(self):
        for error in ("EPERM", "EXDEV"):
            for runtime in copy_case.LAYOUTS:
                folders = [path for path in (self.work / runtime).rglob("*") if path.is_dir()]
                self.check_next("linkat,mount", error, "copy", runtime=runtime,
                                paths=["overlay", *folders])


# Runs a launch, and says what it leaves in the parent.
THEN_LIST = """
status=0
"$@" || status=$?
echo "status $status"
ls -A m/parent 2>/dev/null || true
"""


class FilesystemTest(copy_case.CopyCase):
    """The same with filesystems that are so."""

    def setUp(self):
        super().setUp()
        self.mount_point = self.work / "m"
        self.mount_point.mkdir()
        self.parent = self.mount_point / "parent"

    def run_mounted(self, script, *options, runtime="scout"):
        """Returns: the result, without what @THEN_LIST has printed, and that"""
        command = harness.in_mount_namespace(f"cd {self.work}\n{script}",
                                             ["sh", "-ec", THEN_LIST, "sh", harness.PV_LAUNCH])
        result = self.finish(self.start(f"--runtime={runtime}", self.option, *options, "--",
                                        "probe", "cat", "/usr/marker", command=command))
        out, _, rest = result.text.partition("status ")
        status, *left = rest.split()
        return harness.Result(int(status), out.encode(), result.err.encode()), left

    def check_full(self, script):
        for runtime in copy_case.LAYOUTS:
            result, left = self.run_mounted(script, "--copy-strategy=copy", runtime=runtime)
            self.assert_failed(result, str(self.parent), "No space left on device")
            self.assertIn(left, ([], [".ref"]))

    def test_full_tmpfs(self):
        self.make_root()
        self.check_full("mount -t tmpfs -o size=400k tmpfs m")
        result, left = self.run_mounted("mount -t tmpfs -o size=400k tmpfs m")
        self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))
        self.assertEqual(left, [".ref"])
        for count in range(2, 12):
            with self.subTest(count):
                script = f"mount -t tmpfs -o nr_inodes={count} tmpfs m"
                result, left = self.run_mounted(script, "--copy-strategy=overlay")
                self.assertIn(left, ([], [".ref"]))
                if result.status != 0:
                    self.assert_failed(result, str(self.mount_point))

    def test_full_ext4(self):
        self.make_root()
        if not harness.is_root():
            self.skipTest("only root can mount a filesystem that is in a file")
        image = self.work / "image"
        with open(image, "wb") as file:
            file.truncate(1 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True,
                       env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                       stderr=subprocess.DEVNULL)
        self.check_full("mount -o loop image m; head -c 300k /dev/zero > m/filler")
        self.check_full("mount -o loop image m; cat /dev/zero > m/filler 2>/dev/null || true")

    def test_read_only(self):
        for script in ("mkdir m/parent; touch m/parent/.ref", "mkdir m/parent", "true"):
            for strategy in ("auto", *copy_case.STRATEGIES):
                result, _ = self.run_mounted(
                    f"mount -t tmpfs tmpfs m; {script}; mount -o remount,bind,ro m",
                    f"--copy-strategy={strategy}")
                self.assert_failed(result, str(self.parent), "Read-only file system")

    def test_closed_parent(self):
        """As an ordinary user."""
        if os.geteuid() == 0 and not harness.is_root():
            self.skipTest("as uid 0 of a user namespace every file of one's own can be read")
        self.parent.mkdir()
        (self.parent / ".ref").touch()
        self.parent.chmod(0o555)
        (self.folder / "home").chmod(0o777)
        self.work.chmod(0o755)
        prefix = harness.as_ordinary_user([harness.PV_LAUNCH])
        result = self.finish(self.start("--runtime=scout", self.option, "--", "probe", "exit", "0",
                                        command=prefix))
        self.assert_failed(result, str(self.parent), "Permission denied")
        self.assertEqual(self.list_parent(), [".ref"])

    def test_another(self):
        """A parent on another filesystem than the runtime."""
        script = "mount -t tmpfs tmpfs m"
        self.make_root()
        for runtime in copy_case.LAYOUTS:
            for strategy in ("auto", "overlay", "copy"):
                with self.subTest(runtime=runtime, strategy=strategy):
                    result, left = self.run_mounted(script, f"--copy-strategy={strategy}",
                                                    runtime=runtime)
                    self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))
                    # A copy in full is removed in the background.
                    self.assertTrue(strategy == "copy" or left == [".ref"], left)
            for strategy in ("hardlink", "reflink"):
                result, left = self.run_mounted(script, f"--copy-strategy={strategy}",
                                                runtime=runtime)
                self.assert_failed(result, str(self.work / runtime))
                self.assertEqual(left, [".ref"])

    def test_too_many_links(self):
        """The next file is a copy."""
        folder = self.work / "links"
        folder.mkdir()
        try:
            for number in range(65001):
                os.link(self.files / "marker", folder / str(number))
            self.skipTest("this filesystem has room for more links")
        except OSError as error:
            self.assertEqual(error.errno, errno.EMLINK)
        self.parent = self.work / "parent"
        process = self.start_waiting("--runtime=scout", self.option, "--copy-strategy=hardlink")
        copied = self.get_copy() / "usr/marker"
        self.assertEqual(copied.read_text(), "first")
        self.assertEqual(copied.stat().st_nlink, 1)
        self.assertEqual((self.get_copy() / "usr/bin/probe").stat().st_nlink, 2)
        self.assert_works(self.finish(process))
        self.wait_until_removed()

    def test_protected_hardlinks(self):
        """A runtime that belongs to root, launched by an ordinary user."""
        with open("/proc/sys/fs/protected_hardlinks", encoding="ascii") as file:
            if file.read().strip() != "1":
                self.skipTest("links to the files of others are allowed here")
        files = self.files if harness.is_root() else self.get_runtime("minimal").resolve()
        if (files / "bin").stat().st_uid == os.geteuid() and not harness.is_root():
            self.skipTest("no runtime here belongs to root")
        for name in ("m", "../home", "../session"):
            if harness.is_root():
                os.chown(self.work / name, harness.ORDINARY_UID, harness.ORDINARY_UID)
        self.work.chmod(0o755)
        state = {"XDG_STATE_HOME": str(self.folder / "home")}
        prefix = [*harness.as_ordinary_user([]), harness.PV_LAUNCH]
        program = "probe" if harness.is_root() else "/usr/bin/true"
        for options in ((), ("--copy-strategy=hardlink",)):
            result = self.finish(self.start(f"--runtime={files}", self.option, *options, "--",
                                            program, command=prefix, environment=state))
            self.assertEqual(self.list_parent(), [".ref"])
            if options:
                # Elsewhere what is built for the tests may be mounted at another place.
                reason = "Operation not permitted" if harness.is_root() else ""
                self.assert_failed(result, str(files), reason)
            else:
                self.assert_works(result)


if __name__ == "__main__":
    harness.main()
