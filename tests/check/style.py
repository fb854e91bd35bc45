#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be seen of a file's style without understanding it."""

import re
import tap

SOURCES = ("*.c", "*.h", "*.py", "*.sh", "*.1", "*.conf", "meson.build", "meson_options.txt")
FOLDERS = ("lib", "launcher", "runtimes", "tests", "build-aux")
SPDX = "SPDX-License-Identifier: LGPL-2.1-or-later"

MAX_FILE = 500
MAX_FUNCTION = 120

# flock and lockf are no part of the lock model; the others need a shell or know no bounds.
BANNED = re.compile(r"\b(flock|lockf|system|popen|strcpy|strcat|sprintf|vsprintf|gets) *\(")
LEFT_OPEN = re.compile(r"\b(TODO|FIXME|XXX)\b")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


def list_sources():
    files = tap.list_files(*SOURCES, folders=FOLDERS)
    # Scripts and completions have no suffix.
    files += [path for path in tap.list_files("*", folders=("build-aux", "launcher/completions"))
              if "." not in path.name]
    files += [path.relative_to(tap.SOURCE) for path in tap.SOURCE.glob("meson*")]
    return sorted(set(files))


def without_comments(text):
    """The same number of lines, with neither comments nor strings."""
    text = COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    return STRING.sub('""', text)


def check_licence():
    return [f"{path}: no SPDX line at the top" for path in list_sources()
            if SPDX not in "".join(tap.read(path).splitlines(keepends=True)[:3])]


def check_whitespace():
    problems = []
    for path in list_sources():
        text = tap.read(path)
        if text and not text.endswith("\n"):
            problems.append(f"{path}: no newline at the end")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip() or "\t" in line:
                problems.append(f"{path}:{number}: a tab, or space at the end of the line")
    return problems


def check_calls():
    problems = []
    for path in tap.list_files("*.c", "*.h"):
        for number, line in enumerate(without_comments(tap.read(path)).splitlines(), 1):
            # A call by itself; "struct flock" and "pv_system (" are none.
            if (match := BANNED.search(line)) and not line.startswith("#"):
                problems.append(f"{path}:{number}: {match.group(1)}() is not used here")
    return problems


def check_left_open():
    return [f"{path}:{number}: {match.group()}"
            for path in tap.list_files("*", folders=("lib", "launcher", "runtimes"))
            for number, line in enumerate(tap.read(path).splitlines(), 1)
            if (match := LEFT_OPEN.search(line))]


def check_sizes():
    problems = []
    for path in tap.list_files("*.c", "*.h", "*.py", folders=FOLDERS):
        lines = tap.read(path).splitlines()
        if len(lines) > MAX_FILE:
            problems.append(f"{path}: {len(lines)} lines, more than {MAX_FILE}")
    for path in tap.list_files("*.c"):
        start = None
        for number, line in enumerate(tap.read(path).splitlines(), 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start > MAX_FUNCTION:
                    problems.append(f"{path}:{start}: a function of {number - start} lines, "
                                    f"more than {MAX_FUNCTION}")
                start = None
    return problems


def main():
    report = tap.Report()
    report.check("licence", check_licence())
    report.check("whitespace", check_whitespace())
    report.check("banned calls", check_calls())
    report.check("nothing left open", check_left_open())
    report.check("sizes of files and functions", check_sizes())
    report.finish()


if __name__ == "__main__":
    main()
