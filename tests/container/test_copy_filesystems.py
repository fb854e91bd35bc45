#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mutable copies on filesystems of all kinds, which nobody else sees."""

import os
import subprocess

import copy_case
import harness
import tree_case

CLONE_NEWNS = 0x20000

# Sparse, and more than the least of any.
IMAGE_SIZE = 600 << 20

WITH_SBIN = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

INODE_OF_SUBVOLUME = 256


def run(*command):
    subprocess.run(command, check=True, env=WITH_SBIN, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class FilesystemCase(tree_case.TreeCase):
    kind = "tmpfs"

    def make_runtime(self, *arguments, **others):
        """The first is made when nothing is there yet."""
        if not os.path.ismount(self.work):
            self.mount()
        return super().make_runtime(*arguments, **others)

    def mount(self):
        if os.geteuid() != 0 or (self.kind != "tmpfs" and not harness.is_root()):
            self.skipTest("only root can mount a filesystem that is in a file")
        # For all the rest of this program.
        harness.call("unshare", CLONE_NEWNS)
        run("mount", "--make-rprivate", "/")
        if self.kind == "tmpfs":
            run("mount", "-t", "tmpfs", "tmpfs", self.work)
        else:
            image = self.folder / "image"
            with open(image, "wb") as file:
                file.truncate(IMAGE_SIZE)
            run(f"mkfs.{self.kind}", "-q", image)
            run("mount", "-o", "loop", image, self.work)
        self.addCleanup(run, "umount", "-l", self.work)
        self.work.chmod(0o755)
        if copy_case.can_reflink(self.work):
            self.strategies = (*copy_case.STRATEGIES, "reflink")

    def check_all(self):
        for strategy in self.strategies:
            self.each(self.check_overlay if strategy == "overlay" else self.check_files, strategy)
        self.each(self.check_writable, *(word for word in self.strategies if word != "hardlink"))

    def check_writable(self, runtime, strategy):
        self.assertGreater(self.vandalize(runtime, strategy, "--writable-copy"), 100)


class TmpfsTest(FilesystemCase):
    def test_all(self):
        self.check_all()

    def test_mounted_inside(self):
        """What somebody mounts in a copy is not deleted with it."""
        victim = self.work / "victim"
        victim.mkdir()
        (victim / "file").touch()
        for strategy in ("overlay", "copy"):
            with self.subTest(strategy):
                process = self.start_waiting("--runtime=scout", self.option,
                                             f"--copy-strategy={strategy}")
                target = self.get_copy() / "usr/target"
                target.mkdir()
                run("mount", "--bind", victim, target)
                self.assert_works(self.finish(process))
                harness.wait_until(lambda: not harness.list_descendants(os.getpid()))
                self.assertEqual(os.listdir(victim), ["file"])
                [trash] = self.parent.glob(".trash-*")
                self.assertIn("in use by", self.gc())
                self.assertEqual(os.listdir(victim), ["file"])
                run("umount", trash / "usr/target")
                self.assert_clean()


class Ext4Test(FilesystemCase):
    kind = "ext4"

    def test_all(self):
        self.check_all()


class XfsTest(FilesystemCase):
    kind = "xfs"

    def test_all(self):
        self.check_all()


class BtrfsTest(FilesystemCase):
    kind = "btrfs"

    def make_subvolumes(self):
        """Of what are folders now."""
        for runtime in copy_case.LAYOUTS:
            files = self.get_files(runtime)
            before = files.rename(files.with_name("before"))
            run("btrfs", "subvolume", "create", files)
            run("cp", "-a", "--reflink=always", f"{before}/.", files)
            harness.remove_tree(before)

    def assert_snapshot(self, runtime, copy):
        top = copy if runtime == "root" else copy / "usr"
        self.assertEqual(top.stat().st_ino, INODE_OF_SUBVOLUME)

    def test_all(self):
        self.check_all()
        self.make_subvolumes()
        self.each(self.check_files, "reflink", "copy")
        self.each(self.check_overlay, "overlay")
        self.each(self.check_snapshot, "reflink")

    def check_snapshot(self, runtime, strategy):
        with self.open_copy(runtime, strategy) as (_, copy):
            self.assert_snapshot(runtime, copy)
            self.assertFalse(harness.is_locked(self.get_files(runtime) / ".ref"))
        result = self.run_copy("lock", "/.ref", runtime=runtime,
                               options=[f"--copy-strategy={strategy}"])
        self.assertEqual(result.out, b"shared yes, exclusive no\n")
        self.wait_until_removed()

    def start_as_user(self, *words):
        command = harness.as_ordinary_user([harness.PV_LAUNCH])
        return self.start(*words, command=command)

    def give_to_user(self):
        for folder in (self.work, self.folder / "home", self.folder / "session"):
            run("chown", "-hR", f"{harness.ORDINARY_UID}:{harness.ORDINARY_UID}", folder)
        self.environment["XDG_STATE_HOME"] = str(self.folder / "home")

    def test_keep(self):
        """Of a complete root: a snapshot has it at first, but it keeps no copy."""
        self.make_subvolumes()
        (self.get_files("root") / "keep/deep").mkdir(parents=True)
        with self.open_copy("root", "reflink") as (_, copy):
            self.assert_snapshot("root", copy)
            self.assertFalse((copy / "keep").exists())
        self.wait_until_removed()
        self.assertTrue((self.get_files("root") / "keep/deep").exists())

    def test_ordinary_user(self):
        """Who may make a snapshot of his own, and deletes it like a folder."""
        self.make_subvolumes()
        self.give_to_user()
        for runtime in copy_case.LAYOUTS:
            for strategy in ("reflink", "auto"):
                process = self.start_as_user(f"--runtime={runtime}", self.option, "--copy-strategy",
                                             strategy, "--", "probe", "--wait")
                self.read_until(process, b"ready\n")
                if strategy == "reflink":
                    self.assert_snapshot(runtime, self.get_copy())
                self.assert_works(self.finish(process))
                self.wait_until_removed()

    def test_somebody_elses(self):
        """Of a subvolume that belongs to root, an ordinary user copies the files."""
        self.make_subvolumes()
        self.give_to_user()
        for runtime in copy_case.LAYOUTS:
            os.chown(self.get_files(runtime), 0, 0)
            self.get_files(runtime).chmod(0o755)
            process = self.start_as_user(f"--runtime={runtime}", self.option,
                                         "--copy-strategy=reflink", "--", "probe", "exit", "0")
            self.assert_works(self.finish(process))
            self.wait_until_removed()

    def make_nested(self, copy):
        """As a program can in its writable copy."""
        usr = copy / "usr"
        if (copy / "upper").exists():
            usr = copy / "upper"
        nested = usr / "nested"
        for command in (["btrfs", "subvolume", "create", nested], ["mkdir", nested / "deep"],
                        ["touch", nested / "deep/file"],
                        ["btrfs", "subvolume", "create", nested / "deep/er"],
                        ["btrfs", "subvolume", "snapshot", "-r", nested, usr / "read-only"]):
            run(*harness.as_ordinary_user(command))

    def test_nested(self):
        """Subvolumes that a program has made go with the copy."""
        self.give_to_user()
        for killed in (False, True):
            for strategy in ("overlay", "copy"):
                process = self.start_as_user("--runtime=scout", self.option, "--writable-copy",
                                             f"--copy-strategy={strategy}", "--", "probe", "--wait")
                self.read_until(process, b"ready\n")
                self.make_nested(self.get_copy())
                if killed:
                    for pid in [process.pid, *harness.list_descendants(process.pid)]:
                        harness.kill(pid)
                    process.wait()
                    self.wait_for_children()
                    command = harness.as_ordinary_user([copy_case.PVCTL, "gc"])
                    result = self.finish(self.start(command=command))
                    self.assertEqual((result.status, result.err), (0, ""))
                    self.assertEqual(self.list_parent(), [".ref"])
                else:
                    self.assert_works(self.finish(process))
                    self.wait_until_removed()


if __name__ == "__main__":
    harness.main()
