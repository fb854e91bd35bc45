#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A mutable copy on disk, byte for byte; and its runtime, which nothing changes."""

import os
import pathlib
import shutil

import copy_case
import harness
import tree_case

# Of one launch at a time.
LAUNCHES = {"auto": 100, "overlay": 100, "hardlink": 40, "copy": 40}

NAMES = ("with,comma", "with:colon", "with\\backslash", "with blank", "with\nline",
         "with\\,\\:,both", os.fsdecode(b"no utf-8 \xff"))


class LayoutTest(tree_case.TreeCase):
    def test_files(self):
        """Of a copy that is made file by file."""
        self.each(self.check_files, *(word for word in self.strategies if word != "overlay"))

    def test_umask(self):
        """Has no part in it."""
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.test_files()
        self.test_overlay()

    def test_overlay(self):
        """Its upper folders show what the runtime's show."""
        self.each(self.check_overlay, "overlay")

    def check_inside(self, runtime, strategy):
        with self.open_copy(runtime, strategy) as (process, _):
            inside = harness.find_supervisors(process.pid)[1]
            top = "usr" if runtime == "scout" else ".runtime"
            self.check_same(pathlib.Path(f"/proc/{inside}/root", top), self.get_files(runtime))

    def test_inside_of_overlay(self):
        """The program sees the runtime, with all its attributes."""
        self.each(self.check_inside, "overlay")

    def test_overlay_of_a_layer(self):
        """A runtime that has itself been a layer once."""
        for top in (self.files, self.get_files("root"), self.get_files("root") / "usr"):
            try:
                os.setxattr(top, "user.overlay.opaque", b"y")
            except OSError:
                self.skipTest("this filesystem has no extended attributes")
        for runtime in copy_case.LAYOUTS:
            self.assert_next_works(runtime, ["--copy-strategy=overlay"])

    def list_all(self):
        """Also the folder for temporary files."""
        inside = {str(path) for path in self.folder.rglob("*")}
        return inside | {str(path) for path in pathlib.Path("/tmp").glob("pv-launch*")}

    def check_nothing_outside(self, runtime, strategy):
        before = self.list_all()
        with self.open_copy(runtime, strategy) as (_, copy):
            new = [path for path in self.list_all() - before if not path.startswith(str(copy))]
            self.assertEqual(new, [])
        self.assertEqual(self.list_all(), before)

    def test_nothing_outside(self):
        """Of a copy's own folder."""
        self.assert_works(self.run_copy("exit", "0"))
        self.each(self.check_nothing_outside)

    def check_names(self, runtime, strategy):
        for name in NAMES:
            top = self.work / name
            source = top / runtime
            shutil.copytree(self.get_files(runtime), source, symlinks=True,
                            ignore=shutil.ignore_patterns("share"))
            self.parent = top / "the parent"
            self.assert_next_works(source, [f"--copy-strategy={strategy}"])
            self.wait_until_removed()
            harness.remove_tree(top)

    def test_names(self):
        """Of parents and runtimes."""
        self.each(self.check_names, "auto", *self.strategies)


class UnchangedTest(tree_case.TreeCase):
    """The runtime, whatever the program does."""

    def test_lock_file_taken_away(self):
        """By the program: the copy is not removed at once, but by a cleaner."""
        before = copy_case.describe_tree(self.get_files("root"))
        self.assert_works(self.run_launch("--runtime=root", self.option, "--copy-strategy=copy",
                                          "--writable-copy", "--", "vandal", "/.runtime"))
        self.assert_clean()
        self.assertEqual(copy_case.describe_tree(self.get_files("root")), before)

    def check_writable(self, runtime, strategy):
        self.assertGreater(self.vandalize(runtime, strategy, "--writable-copy"), 100)

    def test_writable(self):
        self.each(self.check_writable, *(word for word in self.strategies if word != "hardlink"))

    def check_read_only(self, runtime, strategy):
        self.vandalize(runtime, strategy)
        # What is left are /etc, of the container's own, and /usr/.ref, which is the copy's.
        folders = ["/usr/bin", "/usr/share"]
        if runtime == "root":
            folders += ["/.runtime/" + path.name for path in self.get_files("root").iterdir()
                        if path.is_dir() and path.name != "usr"] + ["/.runtime/usr/bin"]
        self.assertEqual(self.vandalize(runtime, strategy, folders=folders), 0)

    def test_read_only(self):
        self.each(self.check_read_only)

    def test_many_launches(self):
        """They leave the disk as it was."""
        for strategy, count in LAUNCHES.items():
            for runtime in copy_case.LAYOUTS:
                with self.subTest(runtime=runtime, strategy=strategy):
                    for _ in range(count // 2):
                        result = self.run_copy("exit", "7", runtime=runtime,
                                               options=[f"--copy-strategy={strategy}"])
                        self.assertEqual((result.status, result.err), (7, ""))
                    self.wait_until_removed()
                    self.assertEqual(len(list(self.registry.iterdir())), 1)
        left = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*")
                      if not path.is_relative_to(self.work / "scout")
                      and not path.is_relative_to(self.work / "root"))
        [link] = self.registry.iterdir()
        self.assertEqual(left, sorted([
            "home", "session", "state", "state/pv-launch", "state/pv-launch/parents",
            str(link.relative_to(self.folder)), "work", "work/parent", "work/parent/.ref"]))


if __name__ == "__main__":
    harness.main()
