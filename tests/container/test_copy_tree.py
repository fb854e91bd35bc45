#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A mutable copy on disk, byte for byte; and its runtime, which nothing changes."""

import contextlib
import os
import pathlib
import shutil
import stat

import copy_case
import harness

VANDAL = os.environ.get("PV_TEST_VANDAL", "")

# Of one launch at a time.
LAUNCHES = {"auto": 100, "overlay": 100, "hardlink": 40, "copy": 40}

NAMES = ("with,comma", "with:colon", "with\\backslash", "with blank", "with\nline", "with\\,\\:,both",
         os.fsdecode(b"no utf-8 \xff"))


def set_user_xattr(path):
    """Where the filesystem has such things."""
    with contextlib.suppress(OSError):
        os.setxattr(path, "user.test", b"value", follow_symlinks=False)


class TreeCase(copy_case.CopyCase):
    strategies = copy_case.STRATEGIES

    def setUp(self):
        super().setUp()
        self.make_root()
        for top in (self.files, self.work / "root/files"):
            self.furnish(top)

    def furnish(self, top):
        """With all that a runtime can have."""
        folder = top / "share/deep"
        folder.mkdir(parents=True)
        for name, mode in (("plain", 0o644), ("closed", 0o600), ("program", 0o755),
                           ("set", 0o4755), ("readable", 0o444)):
            (folder / name).write_text(name * 1000)
            (folder / name).chmod(mode)
        os.link(folder / "plain", folder / "another name")
        (folder / "link").symlink_to("../nowhere")
        (folder / "empty").mkdir(mode=0o711)
        (folder / os.fsdecode(b"\xff\n,:\\")).touch()
        os.mkfifo(folder / "fifo")
        for path in [*sorted(top.rglob("*"))[::-1], top]:
            if not path.is_symlink() and not path.is_fifo():
                set_user_xattr(path)
            os.utime(path, ns=(10**18, 10**18 + 123456789), follow_symlinks=False)
        (top / "share").chmod(0o555)
        top.chmod(0o751)
        os.utime(top / "share", ns=(10**18, 10**18 + 987654321))

    def each(self, check, *strategies):
        """Calls @check with each layout of a runtime and each strategy."""
        for runtime in copy_case.LAYOUTS:
            for strategy in strategies or self.strategies:
                with self.subTest(runtime=runtime, strategy=strategy):
                    check(runtime, strategy)

    @contextlib.contextmanager
    def open_copy(self, runtime, strategy, *options):
        """A program runs from it; afterwards it is gone."""
        process = self.start_waiting(f"--runtime={runtime}", self.option,
                                     f"--copy-strategy={strategy}", *options)
        try:
            yield process, self.get_copy()
        finally:
            result = self.finish(process)
        self.assert_works(result)
        self.wait_until_removed()

    def get_files(self, runtime):
        return self.work / runtime / "files"

    def check_lock_files(self, runtime, copy):
        self.assertEqual(os.readlink(copy / ".ref"), "usr/.ref")
        ref = (copy / "usr/.ref").lstat()
        self.assertTrue(stat.S_ISREG(ref.st_mode))
        self.assertEqual((ref.st_nlink, ref.st_size), (1, 0))
        for path in self.get_files(runtime).rglob(".ref"):
            self.assertNotEqual(ref.st_ino, path.lstat().st_ino)
        self.assertTrue(harness.is_locked(copy / "usr/.ref"))

    def check_same(self, copied, source):
        """But for the lock files."""
        found = copy_case.describe_tree(copied)
        wanted = copy_case.describe_tree(source)
        for tree in (found, wanted):
            for name in (".ref", "usr/.ref"):
                tree.pop(name, None)
        self.assertEqual(sorted(found), sorted(wanted))
        for name, entry in wanted.items():
            self.assertEqual(found[name], entry, name)
        self.assertEqual(count_names(copied), count_names(source))


def count_names(folder):
    """Which names are of one file."""
    inodes = {}
    for path in sorted(folder.rglob("*")):
        if path.name != ".ref" and not path.is_dir():
            inodes.setdefault(path.lstat().st_ino, []).append(str(path.relative_to(folder)))
    return sorted(inodes.values())


class LayoutTest(TreeCase):
    def check_files(self, runtime, strategy):
        source = self.get_files(runtime)
        with self.open_copy(runtime, strategy) as (_, copy):
            self.check_lock_files(runtime, copy)
            self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o700)
            self.assertEqual(copy.stat().st_uid, os.geteuid())
            if runtime == "root":
                # The topmost folder is the copy's own: nobody else looks into it.
                mode = stat.S_IMODE(source.stat().st_mode)
                source.chmod(0o700)
                self.check_same(copy, source)
                source.chmod(mode)
            else:
                self.assertEqual(sorted(os.listdir(copy)), [".ref", "usr"])
                self.check_same(copy / "usr", source)

    def test_files(self):
        """Of a copy that is made file by file."""
        self.each(self.check_files, *(word for word in self.strategies if word != "overlay"))

    def test_umask(self):
        """Has no part in it."""
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.test_files()
        self.test_overlay()

    def check_overlay(self, runtime, strategy):
        with self.open_copy(runtime, strategy) as (_, copy):
            self.check_lock_files(runtime, copy)
            self.assertEqual(sorted(os.listdir(copy)), [".ref", "upper", "usr"])
            self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o700)
            self.assertEqual(os.listdir(copy / "usr"), [".ref"])
            upper = copy_case.describe_tree(copy / "upper")
            source = copy_case.describe_tree(self.get_files(runtime))
            names = [".", ".ref"] if runtime == "scout" else [".", "usr", "usr/.ref"]
            self.assertEqual(sorted(upper), names)
            for name in names[:-1]:
                self.assertEqual(upper[name], source[name], name)
            self.assertEqual((copy / "upper" / names[-1]).read_bytes(), b"")

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
        try:
            os.setxattr(self.files, "user.overlay.opaque", b"y")
        except OSError:
            self.skipTest("this filesystem has no extended attributes")
        result = self.run_copy("cat", "/usr/marker", options=["--copy-strategy=overlay"])
        self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))

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


class UnchangedTest(TreeCase):
    """The runtime, whatever the program does."""

    def setUp(self):
        super().setUp()
        for top in (self.files, self.work / "root/files/usr"):
            shutil.copy(VANDAL, top / "bin/vandal")

    def vandalize(self, runtime, strategy, *options, folders=("/usr", "/.runtime/opt", "/etc")):
        """Returns: how much was granted"""
        before = copy_case.describe_tree(self.get_files(runtime))
        links = copy_case.count_links(self.get_files(runtime))
        result = self.run_launch(f"--runtime={runtime}", self.option, f"--copy-strategy={strategy}",
                                 *options, "--", "vandal", *folders)
        self.assert_works(result)
        self.assertEqual(copy_case.describe_tree(self.get_files(runtime)), before)
        self.wait_until_removed()
        self.assertEqual(copy_case.describe_tree(self.get_files(runtime)), before)
        self.assertEqual(copy_case.count_links(self.get_files(runtime)), links)
        return int(result.text)

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
