# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all checks share: the source folder, and results in TAP."""

import os
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
STRICT = os.environ.get("CI") == "true" or os.environ.get("PV_TEST_STRICT") == "1"


class Report:
    """One line for each thing that is checked, and a comment for each thing that is wrong."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def check(self, name, problems):
        """@problems: strings; there should be none."""
        self.count += 1
        print(f"{'not ok' if problems else 'ok'} {self.count} - {name}")
        for problem in problems:
            self.failed = True
            print(f"# {problem}")

    def skip(self, name, reason):
        """Where nobody may skip, this is a failure."""
        if STRICT:
            self.check(name, [f"skipped: {reason}"])
            return
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def finish(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def list_files(*patterns, folders=("lib", "launcher")):
    """Paths below the source folder, relative to it; build folders are no part of it."""
    found = set()
    for folder in folders:
        for pattern in patterns:
            found.update((SOURCE / folder).rglob(pattern))
    return sorted(path.relative_to(SOURCE) for path in found
                  if path.is_file() and "__pycache__" not in path.parts)


def read(path):
    return (SOURCE / path).read_text(encoding="utf-8")
