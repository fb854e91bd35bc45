#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that run from a mutable copy of a runtime."""

import fcntl
import os
import pathlib
import stat

import copy_case
import harness
import strace

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
        # Of somebody else's, it is a copy of all files, which takes longer to delete.
        self.wait_until_removed()

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


class RemovalTest(copy_case.CopyCase):
    """Whatever the program has made of its copy."""

    def assert_removed(self):
        self.wait_for_background()
        self.assertEqual(self.list_parent(), [".ref"])

    def give_to_ordinary_user(self):
        if harness.is_root():
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, harness.ORDINARY_UID, harness.ORDINARY_UID, follow_symlinks=False)

    def run_shell(self, script, strategy, command=(), **others):
        minimal = self.get_runtime("minimal")
        words = [f"--runtime={minimal}", self.option, f"--copy-strategy={strategy}",
                 "--writable-copy", "--", "sh", "-c", script]
        return self.finish(self.start(*words, command=[*command, harness.PV_LAUNCH], **others))

    def test_deep(self):
        """Deeper than fds reach, and than a path can be."""
        for depth in (60, 300):
            # Nobody may move a folder that he cannot write to.
            script = ("cd /usr; i=0; while [ $i -lt %d ]; do mkdir -p d/d/d/d/d && : >d/f"
                      " && cd d/d/d/d/d && i=$((i+5)) || exit; done; cd /usr;"
                      " chmod 0 d/d/d/d/d/d; cd d/d/d/d/d; chmod 0500 .") % depth
            for strategy in ("overlay", "copy"):
                with self.subTest(strategy, depth=depth):
                    self.assert_works(self.run_shell(script, strategy))
                    self.assert_removed()

    def test_closed(self):
        """To its owner, too; for root and in a user namespace this is nothing special."""
        self.give_to_ordinary_user()
        for script in ("chmod 0 /usr", "chmod 0 /usr/.ref", "chmod 0 /usr/.ref /usr",
                       "chmod 0400 /usr"):
            for strategy in ("overlay", "copy"):
                with self.subTest(script, strategy=strategy):
                    self.assert_works(self.run_shell(script, strategy, harness.as_ordinary_user([])))
                    self.assert_removed()

    def test_closed_at_the_top(self):
        """By somebody outside."""
        self.give_to_ordinary_user()
        for mode in (0, 0o400, 0o100):
            process = self.start_waiting("--runtime=scout", self.option, command=[
                *harness.as_ordinary_user([]), harness.PV_LAUNCH])
            self.get_copy().chmod(mode)
            self.assert_works(self.finish(process))
            self.assert_removed()

    def test_in_use_stays_closed(self):
        """Who cannot have the lock gives the permissions back."""
        process = self.start_waiting("--runtime=scout", self.option)
        copy = self.get_copy()
        fd = os.open(copy / "usr/.ref", os.O_RDONLY | os.O_CLOEXEC)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_RDLCK))
        (copy / "usr").chmod(0o111)
        self.assert_works(self.finish(process))
        self.assertEqual(stat.S_IMODE((copy / "usr").stat().st_mode), 0o111)
        self.assertIn("left ", self.gc())
        self.assertEqual(stat.S_IMODE((copy / "usr").stat().st_mode), 0o111)
        os.close(fd)
        self.assert_clean()

    def test_few_fds(self):
        """However far a launch comes."""
        worked = 0
        for strategy in ("overlay", "copy"):
            for count in range(8, 48):
                limit = ["sh", "-c", f'ulimit -n {count}; exec "$@"', "sh"]
                result = self.run_shell("mkdir -p /usr/a/b/c/d/e/f", strategy, limit)
                worked += result.status == 0
                if self.parent.exists():
                    self.wait_for_background()
                    self.assertIn(self.list_parent(), ([], [".ref"]), f"{strategy} {count} fds")
        self.assertGreater(worked, 0)

    def test_name_of_the_trash(self):
        """Something may have it already."""
        for make in (lambda path: (path / "x").mkdir(parents=True), pathlib.Path.touch,
                     lambda path: path.symlink_to("nowhere")):
            process = self.start_waiting("--runtime=scout", self.option)
            trash = self.parent / self.get_copy().name.replace("tmp-", ".trash-")
            make(trash)
            self.assert_works(self.finish(process))
            self.assertEqual(self.list_parent(), [".ref", trash.name])
            trash.rename(self.work / f"another-{trash.name}")


class InjectedTest(copy_case.CopyCase):
    """The supervisor, when something happens to its system calls."""

    def setUp(self):
        super().setUp()
        if not strace.works():
            self.skipTest(strace.SKIP)
        self.log = self.folder / "strace"

    def test_no_process(self):
        """Who cannot go to the background deletes it first."""
        process = self.start_waiting("--runtime=scout", self.option, "--copy-strategy=copy")
        pid = harness.find_supervisors(process.pid)[0]
        command = strace.inject(self.log, "clone,fork,vfork", "error=EAGAIN", children=False)
        tracer = self.start(f"--attach={pid}", command=command)
        harness.wait_until(lambda: "TracerPid:\t0\n" not in
                           pathlib.Path(f"/proc/{pid}/status").read_text())
        self.assert_works(self.finish(process))
        self.finish(tracer)
        self.assertIn("(INJECTED)", self.log.read_text())
        self.assertEqual(self.list_parent(), [".ref"])

    def test_replaced_lock_file(self):
        """Between its open and its lock: whoever replaced it may hold the new one."""
        command = strace.inject(self.log, "nanosleep,clock_nanosleep", "delay_exit=500000", when="1")
        process = self.start_waiting("--runtime=scout", self.option,
                                     command=[*command, harness.PV_LAUNCH])
        copy = self.get_copy()
        ref = copy / "usr/.ref"
        fd = os.open(ref, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_RDLCK))
        process.stdin.close()
        # Not granted, and not yet tried again.
        harness.wait_until(lambda: "sleep(" in self.log.read_text())
        (copy / "new").touch()
        (copy / "new").rename(ref)
        os.close(fd)
        self.assert_works(self.finish(process))
        self.assertEqual(self.get_copy(), copy)
        self.assert_clean()


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

    def test_parent_in_the_runtime(self):
        """It would be copied into itself, without end."""
        self.make_runtime("root/usr")
        for runtime, parent in (("scout", self.files), ("scout", self.files / "share/copies"),
                                ("root", self.work / "root/var/copies")):
            for strategy in ("auto", "overlay", "hardlink", "copy"):
                with self.subTest(runtime=runtime, parent=parent, strategy=strategy):
                    result = self.run_launch(f"--runtime={runtime}",
                                             f"--runtime-mutable-parent={parent}",
                                             f"--copy-strategy={strategy}", "--", "probe")
                    self.assert_failed(result, str(parent), "it lies in the runtime")
                    self.assertEqual([name for name in os.listdir(parent) if "-" in name], [])

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
