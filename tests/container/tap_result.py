# SPDX-License-Identifier: LGPL-2.1-or-later
"""What unittest finds, as TAP; a skip that is not allowed is a failure."""

import os
import pathlib
import sys
import traceback
import unittest

STRICT = os.environ.get("CI") == "true" or os.environ.get("PV_TEST_STRICT") == "1"
ALLOWED_SKIPS = pathlib.Path(__file__).resolve().parent.parent / "allowed-skips.txt"


def read_allowed_skips():
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


class TapResult(unittest.TestResult):
    """Writes the Test Anything Protocol."""

    def __init__(self):
        super().__init__()
        self.allowed = read_allowed_skips()
        self.number = 0
        self.failed = 0
        self.problems = []
        self.reason = None

    def startTest(self, test):
        super().startTest(test)
        self.problems = []
        self.reason = None

    def add_problem(self, error):
        kind, value, frames = error
        while frames is not None and "unittest" in frames.tb_frame.f_code.co_filename:
            frames = frames.tb_next
        self.problems.append("".join(traceback.format_exception(kind, value, frames)))

    def addError(self, test, err):
        self.add_problem(err)

    def addFailure(self, test, err):
        self.add_problem(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.problems.append(f"in {subtest}\n")
            self.add_problem(err)

    def addSkip(self, test, reason):
        self.reason = reason
        if STRICT and reason not in self.allowed:
            self.problems.append("this reason to skip a test is not allowed: " + reason)

    def stopTest(self, test):
        super().stopTest(test)
        self.number += 1
        name = test.id().removeprefix("__main__.")
        skip = f" # SKIP {self.reason}" if self.reason is not None and not self.problems else ""
        print("not ok" if self.problems else "ok", self.number, "-", name + skip)
        for line in "\n".join(self.problems).splitlines():
            print("#", line)
        self.failed += bool(self.problems)
        sys.stdout.flush()
