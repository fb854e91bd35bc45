#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever makes or removes a mutable copy is killed at any step."""

import contextlib
import os
import signal
import subprocess
import time

import copy_case
import harness
import strace

# Each process is killed at its first call, its second, its third...; not all of them every time.
STRIDE = 1 if copy_case.THOROUGH else 6

# What is done in the parent and in the copy; the last are done by bubblewrap, too.
CALLS = ("mkdirat", "openat2", "linkat", "symlinkat", "renameat2", "unlinkat", "fcntl", "mount")

# Nobody is left waiting longer than that.
PATIENCE = 10


class SweepTest(copy_case.CopyCase):
    timeout = 3000 if copy_case.THOROUGH else 120

    def setUp(self):
        super().setUp()
        if not strace.works():
            self.skipTest(strace.SKIP)
        self.make_root()
        self.log = self.folder / "strace"
        self.offset = 0

    def forget(self):
        """So that the parent is made anew as well."""
        for folder in (self.parent, self.folder / "state"):
            with contextlib.suppress(FileNotFoundError):
                harness.remove_tree(folder)

    def end_orphans(self, what):
        """Whoever has lost all who would tell it to go on."""
        end = time.monotonic() + PATIENCE
        while left := harness.list_descendants(os.getpid()):
            if time.monotonic() > end:
                self.fail(f"{what}: left " + "; ".join(map(harness.describe_process, left)))
            time.sleep(0.002)
            self.reap()

    def launch(self, calls, number, runtime, strategy, path=None):
        """Returns: whether anybody was killed"""
        prefix = strace.inject(self.log, calls, "signal=SIGKILL", str(number), path)
        process = self.start(f"--runtime={runtime}", self.option, f"--copy-strategy={strategy}",
                             "--", "probe", "cat", "/usr/marker",
                             command=[*prefix, harness.PV_LAUNCH],
                             stdin=subprocess.DEVNULL)
        self.finish(process)
        self.end_orphans(f"{strategy} {runtime} {calls} {number}")
        return strace.was_reached(self.log, number)

    def sweep(self, calls, runtime, strategy, path=None):
        self.offset += 1
        number = 1 + self.offset % STRIDE
        while True:
            self.forget()
            reached = self.launch(calls, number, runtime, strategy, path)
            self.assert_next_works(runtime, [f"--copy-strategy={strategy}"])
            self.assert_clean()
            if not reached:
                return
            self.assertRegex(self.log.read_text(errors="replace"), r"= \?\n")
            number += STRIDE

    def check(self, strategy):
        for runtime in copy_case.LAYOUTS:
            before = copy_case.describe_tree(self.work / runtime)
            links = copy_case.count_links(self.work / runtime)
            for calls in CALLS:
                with self.subTest(runtime=runtime, calls=calls):
                    self.sweep(calls, runtime, strategy)
            with self.subTest(runtime=runtime, calls="openat in the parent"):
                self.sweep("openat", runtime, strategy, self.parent)
            self.assertEqual(copy_case.describe_tree(self.work / runtime), before)
            self.assertEqual(copy_case.count_links(self.work / runtime), links)

    def test_overlay(self):
        self.check("overlay")

    def test_hardlink(self):
        self.check("hardlink")

    def test_copy(self):
        self.check("copy")


if __name__ == "__main__":
    harness.main()
