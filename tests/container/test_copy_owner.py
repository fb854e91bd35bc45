#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mutable copies of a runtime that belongs to somebody else, or has names of ours."""

import json
import os

import copy_case
import harness

USER = harness.ORDINARY_UID
SKIP = "only root can become an ordinary user who exists nowhere else"


class OwnerCase(copy_case.CopyCase):
    """Runtimes that belong to root, launched by an ordinary user."""

    def setUp(self):
        super().setUp()
        if not harness.is_root():
            self.skipTest(SKIP)
        self.make_root()
        self.tops = {"scout": self.files, "root": self.work / "root/files"}
        self.usrs = {"scout": self.files, "root": self.work / "root/files/usr"}
        for path in (self.folder / "home", self.folder / "session", self.work):
            os.chown(path, USER, USER)
        self.environment["XDG_STATE_HOME"] = str(self.folder / "home")

    def make_unreadable(self, top):
        """Folders that cannot be read or not be entered, and a file."""
        for path, folder_mode, file_mode in (("etc/ssl/private", 0o700, 0o644),
                                             ("etc/names", 0o744, 0o644),
                                             ("etc/open", 0o755, 0o600)):
            (top / path / "inner").mkdir(parents=True)
            (top / path / "file").write_text("secret")
            (top / path / "link").symlink_to("file")
            (top / path / "file").chmod(file_mode)
            os.utime(top / path, ns=(1, 1234567890))
            (top / path).chmod(folder_mode)
        os.link(top / "etc/open/file", top / "etc/open/second")
        os.utime(top / "etc/open", ns=(1, 1234567890))

    def launch(self, *words, command=("probe",), prefix=()):
        command_line = harness.as_ordinary_user([*prefix, harness.PV_LAUNCH])
        return self.run_launch(*words, self.option, "--", *command, command=command_line)

    def start_waiting_as_user(self, *words):
        command = harness.as_ordinary_user([harness.PV_LAUNCH])
        process = self.start(*words, self.option, "--", "probe", "--wait", command=command)
        self.read_until(process, b"ready\n")
        return process

    def each(self, check, *strategies):
        for runtime in copy_case.LAYOUTS:
            for strategy in strategies:
                with self.subTest(runtime=runtime, strategy=strategy):
                    check(runtime, strategy)
                    self.wait_until_removed()


class UnreadableTest(OwnerCase):
    def get_strategies(self):
        return ["copy", "reflink"] if copy_case.can_reflink(self.work) else ["copy"]

    def check_copy(self, runtime, strategy):
        top = self.tops[runtime]
        before = copy_case.describe_tree(top)
        process = self.start_waiting_as_user(f"--runtime={runtime}", f"--copy-strategy={strategy}")
        copy = self.get_copy() / ("usr" if runtime == "scout" else "")
        names = {str(path.relative_to(copy)) for path in (copy / "etc").rglob("*")}
        self.assertEqual(names - {"etc/os-release"},
                         {"etc/ssl", "etc/ssl/private", "etc/names", "etc/open",
                          "etc/open/inner", "etc/open/link"})
        for name in ("etc/ssl/private", "etc/names", "etc/open"):
            st, source = (copy / name).stat(), (top / name).stat()
            self.assertEqual((st.st_mode, st.st_uid, st.st_mtime_ns),
                             (source.st_mode, USER, source.st_mtime_ns), name)
        self.assert_works(self.finish(process))
        self.assertEqual(copy_case.describe_tree(top), before)

    def test_left_out(self):
        for top in self.tops.values():
            self.make_unreadable(top)
        self.each(self.check_copy, *self.get_strategies())

    def check_said(self, runtime, strategy):
        result = self.launch(f"--runtime={runtime}", f"--copy-strategy={strategy}", "--verbose",
                             command=("probe", "exit", "0"))
        self.assertEqual(result.status, 0, result.err)
        lines = [line for line in result.lines if "cannot be read" in line]
        self.assertEqual(len(lines), 1, result.err)
        # Two folders, and a file that has two names.
        self.assertIn(f'"{runtime}": 4 ', lines[0])
        self.assertIn('"etc/', lines[0])

    def test_said_once(self):
        for top in self.tops.values():
            self.make_unreadable(top)
        self.each(self.check_said, *self.get_strategies())

    def test_nothing_is_said(self):
        """Where all can be read, or without --verbose."""
        for options in (["--verbose"], []):
            result = self.launch("--runtime=scout", "--copy-strategy=copy", *options,
                                 command=("probe", "exit", "0"))
            self.assertEqual(result.status, 0, result.err)
            self.assertNotIn("cannot be read", result.err)
            self.wait_until_removed()
            if options:
                self.make_unreadable(self.files)

    def check_own(self, runtime, strategy):
        result = self.launch(f"--runtime={runtime}", f"--copy-strategy={strategy}",
                             command=("probe", "exit", "0"))
        self.assert_failed(result, "/bin/mine", "Permission denied")

    def test_own(self):
        """What the user himself has closed is an error, a file or a folder."""
        for usr in self.usrs.values():
            (usr / "bin/mine").mkdir(0o000)
            os.chown(usr / "bin/mine", USER, USER)
        self.each(self.check_own, "copy")
        for usr in self.usrs.values():
            (usr / "bin/mine").rmdir()
            (usr / "bin/mine").touch(0o000)
            os.chown(usr / "bin/mine", USER, USER)
        self.each(self.check_own, "copy")

    def test_hard_links(self):
        """Of the user's own files, in which root has put something."""
        for path in (self.files, *self.files.rglob("*")):
            os.lchown(path, USER, USER)
        private = self.files / "private"
        private.mkdir(0o700)
        (private / "file").touch()
        (self.files / "names").mkdir(0o744)
        (self.files / "names/file").touch()
        process = self.start_waiting_as_user("--runtime=scout", "--copy-strategy=hardlink")
        usr = self.get_copy() / "usr"
        self.assertEqual((os.listdir(usr / "private"), os.listdir(usr / "names")), ([], []))
        self.assertTrue((usr / "marker").samefile(self.files / "marker"))
        self.assert_works(self.finish(process))
        self.wait_until_removed()


class WritableTest(OwnerCase):
    def write(self, runtime, path, *options):
        result = self.launch(f"--runtime={runtime}", "--writable-copy", *options,
                             command=("probe", "write", path))
        self.assertEqual(result.status, 0, result.err)
        self.wait_until_removed()
        return result

    def check_auto(self, runtime, strategy):
        before = copy_case.describe_tree(self.tops[runtime])
        for path in ("/usr/new", "/usr/bin/new", "/usr/marker"):
            result = self.write(runtime, path, f"--copy-strategy={strategy}", "--verbose")
            self.assertEqual(result.text, "written\n", path)
            lines = [line for line in result.lines if "belong to somebody else" in line]
            self.assertTrue(lines, result.err)
            self.assertIn(f'"{runtime}"', lines[0])
        self.assertEqual(copy_case.describe_tree(self.tops[runtime]), before)

    def test_auto(self):
        """All of it is writable."""
        self.each(self.check_auto, "auto")

    def test_usr(self):
        """A root whose top is the user's own, but not its /usr."""
        os.chown(self.tops["root"], USER, USER)
        self.check_auto("root", "auto")

    def test_status(self):
        reader, writer = os.pipe()
        command = harness.as_ordinary_user([harness.PV_LAUNCH])
        process = self.start("--runtime=scout", self.option, "--writable-copy",
                             f"--status-fd={writer}", "--", "probe", "exit", "0", command=command,
                             pass_fds=[writer])
        os.close(writer)
        self.assert_works(self.finish(process))
        with open(reader, encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        [copied] = [event for event in events if event["event"] == "copied"]
        self.assertIn(copied["strategy"], ("reflink", "copy"))
        self.assertEqual(copied["skipped"][0]["strategy"], "overlay")
        self.assertIn("belong to somebody else", copied["skipped"][0]["reason"])
        self.wait_until_removed()

    def test_explicit_overlay(self):
        """It is made all the same: the program can write at the top."""
        for path, answer in (("/usr/new", "written"), ("/usr/bin/new", "13")):
            result = self.write("scout", path, "--copy-strategy=overlay")
            self.assertEqual((result.text.strip(), result.err), (answer, ""))

    def check_overlay(self, *options):
        result = self.launch("--runtime=scout", "--verbose", *options, command=("probe", "exit", "0"))
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("by overlay", result.err)
        self.assertNotIn("No mutable copy by", result.err)
        self.wait_until_removed()

    def test_overlay_is_enough(self):
        """Where nothing is to be written, or the runtime is the user's own."""
        self.check_overlay()
        for path in (self.files, *self.files.rglob("*")):
            os.lchown(path, USER, USER)
        self.check_overlay("--writable-copy")

    def test_user_namespace(self):
        """One who is root there does not own what belongs to nobody there."""
        result = self.launch("--runtime=scout", "--writable-copy",
                             command=("probe", "write", "/usr/bin/new"), prefix=("unshare", "-r"))
        self.assertEqual((result.text, result.err), ("written\n", ""))
        self.wait_until_removed()


class KeepTest(copy_case.CopyCase):
    """A complete root that has something by whose name a copy is kept."""

    def check(self, strategy, *options):
        process = self.start_waiting("--runtime=root", self.option, f"--copy-strategy={strategy}",
                                     *options)
        copy = self.get_copy()
        self.assertTrue((copy / "usr/keep").exists())
        self.assertEqual((copy / "keep").exists(), bool(options))
        self.assert_works(self.finish(process))
        if options:
            self.assertTrue((copy / "keep").is_file())
            harness.remove_tree(copy)
        self.wait_until_removed()

    def test_removed(self):
        root = self.make_root()
        (root / "usr/keep").touch()
        for make in ((root / "keep").touch, (root / "keep").mkdir):
            make()
            for strategy in ("hardlink", "copy"):
                for options in ((), ("--keep-copy",)):
                    with self.subTest(strategy=strategy, options=options, make=make.__name__):
                        self.check(strategy, *options)
            if make.__name__ == "touch":
                (root / "keep").unlink()


if __name__ == "__main__":
    harness.main()
