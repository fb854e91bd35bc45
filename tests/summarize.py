#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up results of tests: NAME.tap (the Test Anything Protocol) and NAME.json (meson's testlog).

Prints what failed and why, what was skipped for a reason that tests/allowed-skips.txt does not
have, and at last one line with the sums. The status is 0 only if every file has results, none
failed, and no skip lacks an allowed reason.
"""

import collections
import json
import pathlib
import re
import sys

RESULT = re.compile(r"^(not )?ok\b *\d* *-? *(.*?) *(?:# *(SKIP|TODO)\b[ :]*(.*))?$", re.IGNORECASE)
PLAN = re.compile(r"^1\.\.(\d+) *(?:# *SKIP\w* *(.*))?$", re.IGNORECASE)
ALLOWED_SKIPS = pathlib.Path(__file__).resolve().parent / "allowed-skips.txt"


class Sums:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skips = collections.Counter()
        self.problems = []

    def fail(self, name, details=()):
        self.failed += 1
        self.problems.append("\n".join([f"FAILED {name}", *(f"  {line}" for line in details)]))

    def count(self):
        return self.passed + self.failed + sum(self.skips.values())


def add_line(sums, source, match, details):
    failed, name, directive, reason = match.groups()
    if failed:
        sums.fail(f"{source}: {name}", details)
    elif directive and directive.upper() == "SKIP":
        sums.skips[reason] += 1
    else:
        sums.passed += 1


def add_tap(sums, source, text):
    """Returns whether it was complete."""
    before = sums.count()
    planned = None
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if plan := PLAN.match(line):
            planned = int(plan.group(1))
            if planned == 0:
                sums.skips[plan.group(2) or ""] += 1
                return True
        elif match := RESULT.match(line):
            details = []
            for comment in lines[number + 1:]:
                if not comment.startswith("#"):
                    break
                details.append(comment[2:])
            add_line(sums, source, match, details)
    return planned is not None and sums.count() - before == planned


def add_meson(sums, source, text):
    for line in text.splitlines():
        test = json.loads(line)
        name = f"{source}: {test['name']}"
        output = test.get("stdout") or ""
        problems = sums.failed
        details = (output + (test.get("stderr") or "")).splitlines()[-40:]
        if any(PLAN.match(word) for word in output.splitlines()):
            complete = add_tap(sums, name, output)
            if sums.failed == problems and (not complete or test["result"] not in ("OK", "SKIP")):
                sums.fail(f"{name}: {test['result']}", details)
        elif test["result"] == "SKIP":
            sums.skips[""] += 1
        elif test["result"] in ("OK", "EXPECTEDFAIL"):
            sums.passed += 1
        else:
            sums.fail(f"{name}: {test['result']}", details)


def add_file(sums, path):
    before = sums.count()
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if path.suffix == ".json":
        add_meson(sums, path.stem, text)
    elif not add_tap(sums, path.stem, text):
        sums.fail(f"{path.stem}: ended before its last test", text.splitlines()[-10:])
    if sums.count() == before:
        sums.fail(f"{path.stem}: no test ran")


def main():
    sums = Sums()
    for name in sys.argv[1:]:
        add_file(sums, pathlib.Path(name))
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    allowed = {line for line in lines if line and not line.startswith("#")}
    forbidden = [reason for reason in sums.skips if reason not in allowed]

    for problem in sums.problems:
        print(problem)
    for reason, count in sums.skips.items():
        word = "FAILED: skipped without an allowed reason" if reason in forbidden else "Skipped"
        print(f"{word}: {count} × {reason or 'no reason given'}")
    print(f"{sums.passed} passed, {sums.failed} failed, {sum(sums.skips.values())} skipped")
    sys.exit(1 if sums.failed or forbidden or sums.passed == 0 else 0)


if __name__ == "__main__":
    main()
