#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""/etc of a writable copy of a complete root: the copy's own folder, with the host's files in it."""

import os
import stat

import copy_case
import harness

STRATEGIES = ("overlay", "copy")


class EtcCase(copy_case.CopyCase):
    def setUp(self):
        super().setUp()
        self.environment["PV_LAUNCH_TEST_OVERLAY"] = "namespace"
        self.root = self.make_root()

    def each(self, check):
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                before = copy_case.describe_tree(self.root)
                check(strategy)
                self.assertEqual(copy_case.describe_tree(self.root), before)
                if self.list_parent() != [".ref"]:
                    harness.remove_tree(self.get_copy())

    def launch(self, strategy, *words, options=("--writable-copy", "--keep-copy")):
        return self.run_copy(*words, runtime="root",
                             options=[f"--copy-strategy={strategy}", *options])

    def assert_written(self, result):
        self.assertEqual((result.status, result.text, result.err), (0, "written\n", ""))

    def get_etc(self, strategy):
        return self.get_copy() / ("upper/etc" if strategy == "overlay" else "etc")


class KeptTest(EtcCase):
    def test_new(self):
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/new"))
            self.assertTrue((self.get_etc(strategy) / "new").is_file())
        self.each(check)

    def test_existing(self):
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/os-release"))
            self.assertNotEqual((self.get_etc(strategy) / "os-release").read_text(), "ID=test\n")
        self.each(check)

    def test_without_etc(self):
        harness.remove_tree(self.root / "etc")
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/new"))
            self.assertTrue((self.get_etc(strategy) / "new").is_file())
        self.each(check)

    def test_closed_folder(self):
        """In the copy it can be written to, whatever the runtime's can."""
        (self.root / "etc").chmod(0o555)
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/new"))
            self.assertEqual(stat.S_IMODE(self.get_etc(strategy).stat().st_mode), 0o755)
        self.each(check)
        (self.root / "etc").chmod(0o755)

    def test_owner(self):
        """It is the caller's: the program has no capability to write into what is not."""
        if os.geteuid() != 0 or is_mapped():
            self.skipTest("only root has other owners")
        os.chown(self.root / "etc", 61235, 61235)
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/new"))
        self.each(check)

    def test_link_is_left_alone(self):
        """It may lead anywhere: /etc is the container's own then."""
        outside = self.work / "outside"
        (self.root / "etc").rename(outside)
        (self.root / "etc").symlink_to(outside)
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/new"))
            self.assertEqual(os.listdir(outside), ["os-release"])
        self.each(check)


class HostFilesTest(EtcCase):
    def test_user(self):
        """Where the runtime has a file, another name of one, or a link to the outside."""
        victim = self.work / "victim"
        victim.write_text("victim")
        (self.root / "etc/passwd").write_text("runtime:x:0:0::/:/bin/sh\n")
        os.link(self.root / "etc/passwd", self.root / "etc/passwd-other")
        (self.root / "etc/group").symlink_to(victim)
        (self.root / "etc/hosts").symlink_to("os-release")
        (self.root / "etc/mtab").symlink_to("../opt/deep/er/file")
        uid = f":x:{os.getuid()}:"

        def check(strategy):
            result = self.launch(strategy, "cat", "/etc/passwd")
            self.assertEqual((result.status, result.err), (0, ""))
            self.assertIn(uid, result.text)
            self.assertNotIn("runtime:", result.text)
            etc = self.get_etc(strategy)
            self.assertEqual((etc / "passwd").read_text(), result.text)
            for name in ("passwd", "group"):
                self.assertFalse((etc / name).is_symlink())
            self.assertEqual(os.readlink(etc / "mtab"), "/proc/self/mounts")
            self.assertEqual(victim.read_text(), "victim")
        self.each(check)

    def test_can_be_changed(self):
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/passwd"))
        self.each(check)

    def test_not_over_a_folder(self):
        (self.root / "etc/passwd").mkdir()

        def check(strategy):
            self.assert_failed(self.launch(strategy, "exit", "0", options=["--writable-copy"]),
                               "/etc/passwd")
            self.wait_until_removed()
        self.each(check)


class OtherTest(EtcCase):
    def test_removed(self):
        def check(strategy):
            self.assert_written(self.launch(strategy, "write", "/etc/new",
                                            options=["--writable-copy"]))
            self.wait_until_removed()
        self.each(check)

    def test_read_only_copy(self):
        """As without a copy: a few links, in a folder of the container's own."""
        (self.root / "etc/passwd").write_text("runtime\n")

        def check(strategy):
            mounts = self.launch(strategy, "cat", "/proc/self/mountinfo", options=[]).text
            self.assertNotIn("/etc", [line.split()[4] for line in mounts.splitlines()])
            self.wait_until_removed()
            result = self.launch(strategy, "write", "/etc/os-release", options=[])
            self.assertEqual(result.out.strip(), b"30")
            self.wait_until_removed()
        self.each(check)


def is_mapped():
    """Whether root is root of a user namespace only."""
    with open("/proc/self/uid_map", encoding="ascii") as stream:
        return stream.read().split() != ["0", "0", "4294967295"]


if __name__ == "__main__":
    harness.main()
