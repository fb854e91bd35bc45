#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that run from a mutable copy of a runtime."""

import os
import stat

import copy_case
import harness

MODES = ((), ("--unshare-pid",))


class LayoutTest(copy_case.CopyCase):
    def test_on_disk(self):
        process = self.start_waiting("--runtime=scout", self.option)
        copy = self.get_copy()
        self.assertEqual(os.readlink(copy / ".ref"), "usr/.ref")
        ref = (copy / "usr/.ref").lstat()
        self.assertTrue(stat.S_ISREG(ref.st_mode))
        self.assertEqual((ref.st_nlink, ref.st_size), (1, 0))
        self.assertEqual(sorted(os.listdir(copy)), [".ref", "upper", "usr"])
        self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o700)
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual(self.list_parent(), [".ref"])

    def test_complete_root(self):
        root = self.get_runtime("debian11-root")
        result = self.run_launch(f"--runtime={root}", self.option, "--writable-copy", "--", "sh", "-c",
                                 "touch /usr/x && readlink /.ref && cat /etc/debian_version")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(result.text.splitlines()[0], "usr/.ref")
        self.assertFalse((root / "usr/x").exists())
        self.assertEqual(self.list_parent(), [".ref"])

    def test_pressure_vessels_names(self):
        result = self.run_launch("--runtime=scout", "--copy-runtime",
                                 f"--variable-dir={self.parent}", "--", "probe", "cat", "/usr/marker")
        self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))
        self.assertEqual(self.list_parent(), [".ref"])

    def test_registered(self):
        self.assert_works(self.run_copy("exit", "0", environment={"XDG_STATE_HOME": str(self.work)}))
        links = list((self.work / "pv-launch/parents").iterdir())
        self.assertEqual([os.readlink(link) for link in links], [str(self.parent)])

    def test_names(self):
        for name in ("with,comma", "with:colon", "with\\backslash", "with blank", "with\nline"):
            with self.subTest(name):
                parent = self.work / name
                result = self.run_launch(f"--runtime={self.files}",
                                         f"--runtime-mutable-parent={parent}", "--", "probe", "cat",
                                         "/usr/marker")
                self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))
                self.assertEqual(os.listdir(parent), [".ref"])

    def test_hundred(self):
        for _ in range(100):
            self.assertEqual(self.run_copy("exit", "7").status, 7)
        self.assertEqual(self.list_parent(), [".ref"])


class LockTest(copy_case.CopyCase):
    def test_runtime_and_copy_stay_locked(self):
        for mode in MODES:
            process = self.start_waiting("--runtime=scout", self.option, *mode)
            ref = self.get_copy() / "usr/.ref"
            self.assertTrue(harness.is_locked(ref))
            self.assertTrue(harness.is_locked(self.files / ".ref"))
            self.assertFalse(harness.is_locked(self.parent / ".ref"))
            self.finish(process)
            self.assertFalse(harness.is_locked(self.files / ".ref"))

    def test_same_lock_inside(self):
        """A lock inside meets the one outside, and the other way round."""
        self.assert_works(self.run_copy("exit", "0"))
        result = self.run_copy("lock", "/.ref")
        self.assertEqual(result.out, b"shared yes, exclusive no\n")

    def test_same_file_inside(self):
        process = self.start("--runtime=scout", self.option, "--", "probe", "--wait", "stat", "/.ref")
        inside = self.read_until(process, b"ready\n").decode().strip()
        st = (self.get_copy() / "usr/.ref").stat()
        self.assertEqual(inside, f"{st.st_dev}:{st.st_ino}")
        self.finish(process)

    def test_supervisors_killed(self):
        """What is left keeps its copy; the last supervisor removes it."""
        for which in (0, 1):
            process = self.start_waiting("--runtime=scout", self.option)
            copy = self.get_copy()
            harness.kill(harness.find_supervisors(process.pid)[which])
            if which == 0:
                process.wait()
            self.assertTrue(harness.is_locked(copy / "usr/.ref"))
            self.finish(process)
            if which == 1:
                self.assertFalse(copy.exists())
                continue
            harness.wait_until(lambda: not harness.is_locked(copy / "usr/.ref"))
            harness.remove_tree(copy)


class WritingTest(copy_case.CopyCase):
    def test_runtime_is_not_changed(self):
        before = copy_case.describe_tree(self.files)
        for words in (("write", "/usr/marker"), ("write", "/usr/bin/new"), ("write", "/usr/bin/probe2")):
            result = self.run_copy(*words, options=["--writable-copy"])
            self.assertEqual((result.status, result.out, result.err), (0, b"written\n", ""))
        self.assertEqual(copy_case.describe_tree(self.files), before)

    def test_read_only_unless_asked_for(self):
        result = self.run_copy("write", "/usr/marker")
        self.assertEqual(result.out.strip(), b"30")

    def test_capabilities(self):
        text = self.run_copy("cat", "/proc/self/status").text
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertIn(f"{name}:\t0000000000000000\n", text)
        self.assertIn("NoNewPrivs:\t1\n", text)


class StrategyTest(copy_case.CopyCase):
    """Those that copy the tree, on whatever filesystem this is."""

    def test_tree(self):
        for strategy in ("hardlink", "copy"):
            with self.subTest(strategy):
                process = self.start_waiting("--runtime=scout", self.option,
                                             f"--copy-strategy={strategy}")
                copy = self.get_copy()
                marker = (copy / "usr/marker").stat()
                source = (self.files / "marker").stat()
                self.assertEqual(marker.st_ino == source.st_ino, strategy == "hardlink")
                self.assertEqual((marker.st_mode, marker.st_mtime_ns),
                                 (source.st_mode, source.st_mtime_ns))
                ref = (copy / "usr/.ref").lstat()
                self.assertNotEqual(ref.st_ino, (self.files / ".ref").stat().st_ino)
                self.assertEqual(ref.st_nlink, 1)
                self.assertEqual(os.readlink(copy / ".ref"), "usr/.ref")
                self.assertTrue(harness.is_locked(copy / "usr/.ref"))
                self.assertFalse(harness.is_locked(self.files / ".ref"), "it depends on nothing")
                self.assertEqual(self.finish(process).status, 0)
                self.wait_until_removed()

    def test_runtime_is_not_changed(self):
        before = copy_case.describe_tree(self.files)
        result = self.run_copy("write", "/usr/marker",
                               options=["--writable-copy", "--copy-strategy=copy"])
        self.assertEqual((result.status, result.out, result.err), (0, b"written\n", ""))
        self.wait_until_removed()
        self.assertEqual(copy_case.describe_tree(self.files), before)
        self.assert_works(self.run_copy("exit", "0", options=["--copy-strategy=hardlink"]))
        self.wait_until_removed()
        self.assertEqual(copy_case.describe_tree(self.files), before)

    def test_same_lock_inside(self):
        for strategy in ("hardlink", "copy"):
            result = self.run_copy("lock", "/.ref", options=[f"--copy-strategy={strategy}"])
            self.assertEqual(result.out, b"shared yes, exclusive no\n")
            self.wait_until_removed()

    def test_kept(self):
        self.assert_works(self.run_copy("exit", "0", options=["--keep-copy"]))
        copy = self.get_copy()
        self.assertTrue((copy / "keep").exists())
        harness.remove_tree(copy)

    def test_host(self):
        self.assert_failed(self.run_copy("exit", "0", runtime=""), "host's own /usr")

    def test_dry_run_makes_none(self):
        self.run_copy("exit", "0", options=["--dry-run"])
        self.assertFalse(self.parent.exists())


class FailureTest(copy_case.CopyCase):
    def test_nothing_is_left(self):
        for words, status in ((["missing"], 127), (["/usr/marker"], 126)):
            result = self.run_launch("--runtime=scout", self.option, "--", *words)
            self.assertEqual(result.status, status)
            self.assertEqual(self.list_parent(), [".ref"])
        result = self.run_copy("exit", "0", environment={"PV_LAUNCH_BWRAP": "/bin/false"})
        self.assertEqual(result.status, 125)
        self.assertEqual(self.list_parent(), [".ref"])

    def test_parent_that_cannot_be_made(self):
        (self.work / "file").touch()
        result = self.run_launch("--runtime=scout",
                                 f"--runtime-mutable-parent={self.work / 'file' / 'x'}", "--", "probe")
        self.assert_failed(result, str(self.work / "file"))

    def test_options(self):
        for options in (["--copy-runtime"], ["--copy-strategy=hardlink", "--writable-copy"],
                        ["--copy-strategy=magic"]):
            result = self.run_launch("--runtime=scout", *options, "--", "probe")
            self.assert_failed(result, options[0])

    def test_options_without_a_copy(self):
        for name, value in (("writable-copy", "1"), ("keep-copy", "1"), ("copy-strategy", "copy")):
            with self.subTest(name):
                option = f"--{name}" + ("=copy" if value == "copy" else "")
                result = self.run_launch("--runtime=scout", option, "--", "probe", "exit", "0")
                self.assert_failed(result, option, "--runtime-mutable-parent")
                variable = "PV_LAUNCH_" + name.upper().replace("-", "_")
                result = self.run_launch("--runtime=scout", "--", "probe", "exit", "0",
                                         environment={variable: value})
                self.assert_failed(result, variable, "--runtime-mutable-parent")
        result = self.run_launch("--runtime=scout", "--", "probe", "exit", "0",
                                 environment={"PV_LAUNCH_WRITABLE_COPY": "0",
                                              "PV_LAUNCH_KEEP_COPY": "0"})
        self.assert_works(result)


if __name__ == "__main__":
    harness.main()
