#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manifests that mean harm, or are damaged."""

import os
import random
import stat

import harness
import manifest_case


class HostileTest(manifest_case.ManifestCase):
    """Whatever a manifest says, or a source has: one line, and nothing is left."""

    def setUp(self):
        super().setUp()
        self.lines = self.make_depot()

    def refused(self, *words, **others):
        result = self.launch(**others)
        left = self.list_parent()
        harness.remove_tree(self.parent)
        self.assert_failed(result, *words)
        self.assertEqual(left, [".ref"])
        self.assertEqual(result.lines[0].count("pv-launch: "), 1)

    def test_lines(self):
        os.symlink("/etc", self.files / "out")
        (self.work / "victim").mkdir()
        (self.work / "victim/file").write_text("victim")
        (self.files / "outside").symlink_to(self.work / "victim")
        os.mkfifo(self.files / "pipe")
        for lines, words in (
                (["/etc/passwd type=file size=5"], ["line 1", "absolute"]),
                (["./../x type=file size=0"], ["line 1", '".."']),
                (["./x/../../y type=file size=0"], ["line 1", '".."']),
                (["./\\056\\056/x type=file size=0"], ["line 1", '".."']),
                (["./x\\057.. type=dir"], ["line 1", '".."']),
                (["relative type=file"], ["line 1", '"relative"']),
                (["./a type=link link=/etc", "./a/passwd type=file size=0"], ["line 2", '"a"']),
                (["./a/b type=file size=0", "./a type=link link=b"], ["line 1", '"a"']),
                (["./a type=file size=0", "./a/b/c type=dir"], ["line 2", '"a"']),
                (["./outside/file type=file"], ["line 1", "through a link"]),
                (["./x type=file contents=outside/file"], ["line 1", "through a link"]),
                (["./x type=file contents=/etc/passwd"], ["line 1", "absolute"]),
                (["./x type=file contents=../victim"], ["line 1", '".."']),
                (["./out type=file"], ["line 1", "not a file"]),
                (["./pipe type=file"], ["line 1", "not a file"]),
                (["./null type=char device=1"], ["line 1", '"char"']),
                (["./null type=fifo"], ["line 1", '"fifo"']),
                (["./a type=dir", "./b type=dir", "./a type=dir"], ["line 3", "line 1"]),
                (["./x"], ["line 1", "no type"]),
                (["./x type=link"], ["line 1", "leads nowhere"]),
                ([". type=file"], ["line 1", "top"]),
                (["./x type=file size=-1"], ["line 1", '"-1"']),
                (["./x type=file size=99999999999999999999"], ["line 1", "number"]),
                (["./x type=file mode=9"], ["line 1", '"9"']),
                (["./x type=file time=yesterday"], ["line 1", '"yesterday"']),
                (["./x type=file sha256=abc"], ["line 1", "digest"]),
                (["./x type=file size"], ["line 1", "no value"]),
                (["./x\\q type=file"], ["line 1", "escape"]),
                (["./x\\000y type=file"], ["line 1", "escape"]),
                ([b"./x\0y type=file"], ["line 1", "NUL"]),
                (["./" + "x" * 300 + " type=dir"], ["line 1", "File name too long"]),
                (["./" + "x/" * 2048 + "x type=dir"], ["line 1", "too long"]),
                (["./x type=dir " + "y" * 70000], ["line 1", "too long"]),
                (["./.ref/x type=file size=0"], ["line 1", '".ref" is not a folder']),
                (["./none type=file size=3"], ['line 1: "none"', f'missing in "{self.files}"']),
                (["./marker type=file size=6"], ['line 1: "marker"', "5 bytes, not 6"]),
                (["# nothing"], ["names no file"]),
        ):
            with self.subTest(lines[0][:60]):
                path = self.write(*lines)
                self.refused(f'"{path}"', *words)
        self.assertEqual((self.work / "victim/file").stat().st_nlink, 1)

    def test_lock_file(self):
        """Whatever it is said to be, it is our own."""
        for line in ("./.ref type=file size=5 contents=marker", "./.ref type=link link=marker",
                     "./.ref type=dir"):
            self.write("./marker type=file", "./bin/probe type=file", line)
            self.assert_marker(self.launch())
            ref = (self.get_base() / "usr/.ref").lstat()
            self.assertEqual((stat.S_IFMT(ref.st_mode), ref.st_size, ref.st_nlink),
                             (stat.S_IFREG, 0, 1))
            harness.remove_tree(self.parent)

    def test_damaged_archive(self):
        path = self.depot / "usr-mtree.txt.gz"
        whole = path.read_bytes()
        for data in (b"", whole[:-20], whole[:20], b"\x1f\x8b\x08garbage", random.randbytes(5000)):
            with self.subTest(data[:10]):
                path.write_bytes(data)
                self.refused(f'"{path}"')

    def test_huge(self):
        """A small archive that never ends, nearly."""
        path = self.write(*[b"#" + bytes(60000)] * 5000, compressed=True)
        self.assertLess(path.stat().st_size, 10 ** 6)
        self.refused(f'"{path}"')
        deep = "./" + "/".join(str(i % 10) for i in range(2000))
        path = self.write(*[f"{deep}{i} type=dir" for i in range(10)],
                          *[f"./{i}{deep[2:-3]} type=dir" for i in range(50)], compressed=True)
        self.refused(f'"{path}"')

    def test_unreadable(self):
        if os.geteuid() == 0 and not harness.is_root():
            self.skipTest("as uid 0 of a user namespace every file of one's own can be read")
        (self.depot / "usr-mtree.txt.gz").chmod(0)
        self.work.chmod(0o755)
        command = [*harness.as_ordinary_user([]), harness.PV_LAUNCH]
        self.assert_failed(self.launch(command=command), "usr-mtree.txt.gz", "Permission denied")

    def test_no_program(self):
        result = self.launch(environment={"PV_LAUNCH_LIBEXECDIR": str(self.work)})
        self.assert_failed(result, "pv-deploy")


if __name__ == "__main__":
    harness.main()
