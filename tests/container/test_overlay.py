#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Overlays, in both ways to mount them: by ourselves around bubblewrap, and by bubblewrap itself."""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess

import harness

NAMES = ("with,comma", "with:colon", "with\\backslash", "with blank", "with\nline", "'\"$x")


class OverlayCase(harness.Case):
    """@way: what PV_LAUNCH_TEST_OVERLAY says."""
    way = None

    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()
        self.parent = self.work / "parent"
        self.environment["PV_LAUNCH_TEST_OVERLAY"] = self.way
        if self.way == "bwrap":
            self.environment["PV_LAUNCH_BWRAP"] = str(self.make_newer_bwrap())

    def make_newer_bwrap(self):
        """Bubblewrap of a newer Debian, with its own loader and libraries."""
        files = self.get_runtime("newer-bubblewrap").resolve()
        program = self.work / "newer-bwrap"
        libraries, = files.glob("lib/*-linux-gnu")
        loader = next(files.glob("lib*/ld-linux*.so.*"))
        program.write_text(f"#!/bin/sh\nexec {loader} --library-path {libraries} {files}/bin/bwrap"
                           " \"$@\"\n")
        program.chmod(0o755)
        return program

    def make_root(self):
        """A complete one."""
        self.make_runtime("root/usr")
        root = self.work / "root"
        (root / "bin").symlink_to("usr/bin")
        (root / "opt").mkdir()
        (root / "etc/alternatives").mkdir(parents=True)
        return root

    def get_options(self, *options, runtime="scout", strategy="overlay"):
        return [f"--runtime={runtime}", f"--runtime-mutable-parent={self.parent}",
                f"--copy-strategy={strategy}", *options]

    def run_overlay(self, *words, options=(), **others):
        return self.run_launch(*self.get_options(*options, **others), "--", *words)

    def assert_output(self, result, out):
        self.assertEqual((result.status, result.text, result.err), (0, out, ""))

    def assert_nothing_on_disk(self):
        self.assertEqual(os.listdir(self.parent), [".ref"])

    def get_copy(self):
        name, = (name for name in os.listdir(self.parent) if name != ".ref")
        return self.parent / name

    @staticmethod
    def try_exclusive(path):
        with open(path, "r+b") as stream:
            try:
                fcntl.fcntl(stream, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_WRLCK))
            except BlockingIOError:
                return False
        return True


class Shared:
    """What holds in both ways."""

    def test_is_an_overlay(self):
        for options in ((), ("--writable-copy",)):
            mounts = self.run_overlay("probe", "cat", "/proc/self/mountinfo", options=options).text
            kinds = {line.split()[4]: line.split(" - ")[1].split()[0]
                     for line in mounts.splitlines()}
            self.assertEqual(kinds["/usr"], "overlay")
            self.assertNotEqual(kinds["/usr/.ref"], "overlay")
            self.assert_nothing_on_disk()

    def test_layers(self):
        for options, others in (((), []), (("--writable-copy",), ["work"])):
            process = self.start_waiting(*self.get_options(*options))
            copy = self.get_copy()
            self.assertEqual(sorted(os.listdir(copy)), [".ref", "upper", "usr", *others])
            self.assertEqual(os.listdir(copy / "upper"), [".ref"])
            self.assertEqual(self.finish(process).status, 0)
            self.assert_nothing_on_disk()

    def test_read_only(self):
        for words in (("write", "/usr/marker"), ("write", "/usr/new")):
            self.assertEqual(self.run_overlay("probe", *words).out.strip(), b"30")

    def test_writable(self):
        for words in (("write", "/usr/marker"), ("write", "/usr/new"), ("write", "/usr/bin/new")):
            self.assert_output(self.run_overlay("probe", *words, options=["--writable-copy"]),
                               "written\n")
        self.assertEqual((self.files / "marker").read_text(), "first")
        self.assertEqual(sorted(os.listdir(self.files)), [".ref", "bin", "marker"])
        self.assert_nothing_on_disk()

    def test_locks_meet(self):
        for options in ((), ("--writable-copy",)):
            process = self.start(*self.get_options(*options), "--", "probe", "--wait", "stat",
                                 "/.ref")
            inside = self.read_until(process, b"ready\n").decode().strip()
            ref = self.get_copy() / "usr/.ref"
            self.assertEqual(inside, f"{ref.stat().st_dev}:{ref.stat().st_ino}")
            self.assertFalse(self.try_exclusive(ref))
            self.assertTrue(harness.is_locked(self.files / ".ref"), "it is the lower layer")
            self.assertEqual(self.finish(process).status, 0)
            self.assertFalse(harness.is_locked(self.files / ".ref"))
            self.assert_output(self.run_overlay("probe", "lock", "/.ref", options=options),
                               "shared yes, exclusive no\n")

    def test_complete_root(self):
        root = self.get_runtime("debian11-root")
        script = ("test -d /etc/alternatives && readlink /.ref && "
                  "stat -c %d:%i /.ref/ /usr/.ref /.runtime/usr/.ref 2>/dev/null; "
                  "touch /usr/x 2>/dev/null || echo refused")
        result = self.run_overlay("sh", "-c", script, runtime=root)
        lines = result.text.splitlines()
        self.assertEqual((result.status, lines[0], lines[-1]), (0, "usr/.ref", "refused"))
        self.assertEqual(len(set(lines[1:-1])), 1, "it is one file wherever it is seen")
        self.assertEqual(len(lines), 4)
        self.assert_nothing_on_disk()

    def test_names(self):
        for name in NAMES:
            with self.subTest(name):
                files = self.make_runtime(name + "/files", marker=name)
                self.parent = self.work / ("p" + name)
                for options in ((), ("--writable-copy",)):
                    self.assert_output(self.run_overlay("probe", "cat", "/usr/marker", runtime=files,
                                                        options=options), name)
                    self.assert_nothing_on_disk()

    def test_killed_can_be_deleted(self):
        """By its owner, with nothing but rm."""
        process = self.start(*self.get_options("--writable-copy", "--unshare-pid"), "--", "probe",
                             "--wait", "write", "/usr/bin/new")
        self.read_until(process, b"ready\n")
        for pid in (process.pid, *harness.list_descendants(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        copy = self.get_copy()
        harness.wait_until(lambda: not harness.list_descendants(os.getpid()))
        subprocess.run(["rm", "-rf", str(copy)], check=True)
        self.assertFalse(copy.exists())

    def test_reported(self):
        reading, writing = os.pipe()
        process = self.start(*self.get_options(f"--status-fd={writing}", strategy="auto"), "--",
                             "probe", "exit", "0", pass_fds=[writing])
        os.close(writing)
        with open(reading, encoding="utf-8") as stream:
            events = [json.loads(line) for line in stream]
        self.assertEqual(self.finish(process).status, 0)
        copied, = (event for event in events if event["event"] == "copied")
        self.assertEqual((copied["strategy"], copied["skipped"]), ("overlay", []))
        self.assertEqual(pathlib.Path(copied["copy"]).parent, self.parent)
        names = [event["event"] for event in events]
        self.assertEqual(names, ["resolved", "locked", "copied", "started", "exited"])


class OwnTest(Shared, OverlayCase):
    way = "namespace"

    def test_writable_root(self):
        root = self.make_root()
        for path in ("/usr/new", "/opt/new", "/etc/alternatives/new"):
            result = self.run_overlay("probe", "write", path, runtime=root,
                                      options=["--writable-copy"])
            self.assert_output(result, "written\n")
        self.assertEqual(os.listdir(root / "opt"), [])
        self.assertFalse((root / "usr/new").exists())
        self.assert_nothing_on_disk()


class BwrapTest(Shared, OverlayCase):
    way = "bwrap"

    def test_writable_root(self):
        """Not in this way; the next strategy is taken."""
        root = self.make_root()
        result = self.run_overlay("probe", "exit", "0", runtime=root, options=["--writable-copy"])
        self.assert_failed(result, str(root))
        self.assertIn("--copy-strategy=auto", result.lines[1])
        result = self.run_overlay("probe", "write", "/usr/new", runtime=root, strategy="auto",
                                  options=["--writable-copy"])
        self.assert_output(result, "written\n")
        self.assertFalse((root / "usr/new").exists())
        harness.wait_until(lambda: not harness.list_descendants(os.getpid()))
        self.assert_nothing_on_disk()


class OlderBwrapTest(OverlayCase):
    """The installed one, if it cannot mount overlays."""
    way = "bwrap"

    def make_newer_bwrap(self):
        bwrap = shutil.which("bwrap", path=self.environment["PATH"])
        # In the place of one that is older, and answers what it has answered since 0.1.
        program = self.work / "older-bwrap"
        program.write_text("#!/bin/sh\ntr '\\0' '\\n' </proc/self/fd/$2 | grep -q overlay && "
                           "{ echo 'bwrap: Unknown option --overlay-src' >&2; exit 1; }\n"
                           f"exec {bwrap} \"$@\"\n")
        program.chmod(0o755)
        return program

    def test_named(self):
        result = self.run_overlay("probe", "exit", "0")
        self.assert_failed(result, "Unknown option --overlay-src")
        self.assertIn("--copy-strategy=auto", result.lines[1])
        self.assert_nothing_on_disk()

    def test_auto(self):
        reading, writing = os.pipe()
        process = self.start(*self.get_options(f"--status-fd={writing}", "--verbose", strategy="auto"),
                             "--", "probe", "cat", "/usr/marker", pass_fds=[writing])
        os.close(writing)
        with open(reading, encoding="utf-8") as stream:
            events = [json.loads(line) for line in stream]
        result = self.finish(process)
        self.assertEqual((result.status, result.out), (0, b"first"))
        self.assertIn("Unknown option --overlay-src", result.err)
        last = [event for event in events if event["event"] == "copied"][-1]
        self.assertIn(last["strategy"], ("reflink", "hardlink"))
        self.assertEqual(last["skipped"][0]["strategy"], "overlay")
        self.assertIn("Unknown option --overlay-src", last["skipped"][0]["reason"])
        harness.wait_until(lambda: not harness.list_descendants(os.getpid()))
        self.assert_nothing_on_disk()


if __name__ == "__main__":
    harness.main()
