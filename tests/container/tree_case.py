# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of a copy's files share: runtimes with all that one can have, and how a copy of
each must look."""

import contextlib
import os
import shutil
import stat

import copy_case
import harness

VANDAL = os.environ.get("PV_TEST_VANDAL", "")


def set_user_xattr(path):
    """Where the filesystem has such things."""
    with contextlib.suppress(OSError):
        os.setxattr(path, "user.test", b"value", follow_symlinks=False)


def count_names(folder):
    """Which names are of one file."""
    inodes = {}
    for path in sorted(folder.rglob("*")):
        if path.name != ".ref" and not path.is_dir():
            inodes.setdefault(path.lstat().st_ino, []).append(str(path.relative_to(folder)))
    return sorted(inodes.values())


class TreeCase(copy_case.CopyCase):
    strategies = copy_case.STRATEGIES

    def setUp(self):
        super().setUp()
        self.make_root()
        for top in (self.files, self.work / "root/files"):
            self.furnish(top)
            usr = top / "usr" if (top / "usr").exists() else top
            shutil.copy(VANDAL, usr / "bin/vandal")

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
