#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A launch has those copies removed that others have left, but does not wait for that."""

import os
import shutil
import time

import copy_case
import harness


class BesideTest(copy_case.CopyCase):
    def setUp(self):
        super().setUp()
        self.programs = self.work / "programs"
        self.programs.mkdir()
        self.left = self.parent / "tmp-000000"
        self.runs = self.work / "runs"
        shutil.copy(harness.PV_LAUNCH, self.programs / "pv-launch")

    def install_pvctl(self, text):
        (self.programs / "pvctl").write_text("#!/bin/sh\n" + text)
        (self.programs / "pvctl").chmod(0o755)

    def start_beside(self, *words):
        return self.start("--runtime=scout", self.option, "--", "probe", *words,
                          command=[self.programs / "pv-launch"])

    def leave_copy(self):
        (self.left / "usr").mkdir(parents=True)
        (self.left / ".ref").symlink_to("usr/.ref")
        (self.left / "usr/.ref").touch()
        long_ago = time.time() - 100
        os.utime(self.left / "usr/.ref", (long_ago, long_ago))

    def wait_for_all(self):
        harness.wait_until(lambda: not harness.list_descendants(os.getpid()))

    def test_removed(self):
        self.leave_copy()
        self.install_pvctl(f"exec '{copy_case.PVCTL}' \"$@\"\n")
        process = self.start_beside("--wait")
        self.read_until(process, b"ready\n")
        harness.wait_until(lambda: not self.left.exists())
        self.assertEqual(self.finish(process).status, 0)
        self.wait_for_all()
        self.assertEqual(self.list_parent(), [".ref"])

    def test_not_waited_for(self):
        self.leave_copy()
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        self.install_pvctl(f"echo \"$@\" >'{self.runs}'; read x <'{pipe}'\n")
        result = self.finish(self.start_beside("exit", "7"))
        self.assertEqual((result.status, result.out, result.err), (7, b"", ""))
        with open(pipe, "w", encoding="ascii") as stream:
            stream.write("x\n")
        self.wait_for_all()
        self.assertEqual(self.runs.read_text(), f"gc --parent={self.parent}\n")

    def test_only_where_something_is_left(self):
        self.install_pvctl(f"echo >'{self.runs}'\n")
        first = self.start_beside("--wait")
        self.read_until(first, b"ready\n")
        self.assertEqual(self.finish(self.start_beside("exit", "0")).status, 0)
        self.assertEqual(self.finish(first).status, 0)
        self.wait_for_all()
        self.assertFalse(self.runs.exists(), "the other one is in use")

    def test_not_what_may_be_going(self):
        """Its own launcher lets go of it before it removes it."""
        self.leave_copy()
        os.utime(self.left / "usr/.ref")
        self.install_pvctl(f"echo >'{self.runs}'\n")
        self.assertEqual(self.finish(self.start_beside("exit", "0")).status, 0)
        self.wait_for_all()
        self.assertFalse(self.runs.exists())

    def test_no_pvctl(self):
        self.leave_copy()
        result = self.finish(self.start_beside("exit", "7"))
        self.assertEqual((result.status, result.err), (7, ""))


if __name__ == "__main__":
    harness.main()
