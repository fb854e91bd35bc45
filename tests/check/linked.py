#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each program is linked with: a library too many is loaded on the way to every game.

Arguments: the programs, as they were built.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tap

# GIO and GObject double the start-up; libarchive alone takes 2 ms.
NEVER = ("libgio-2.0", "libgobject-2.0", "libgmodule-2.0")
FORBIDDEN = {
    "pv-deploy": NEVER,
    "pv-launch": NEVER + ("libarchive",),
    "pvctl": NEVER + ("libarchive",),
    "pv-runtime-build": NEVER,
    "pv-supervise": ("",),
}
MAX_BYTES = {"pv-supervise": 1000 * 1000}

NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
COPY = re.compile(r"R_\w+_COPY\b +\w+ +([^ @]+)")
INTERPRETER = re.compile(r"^\s+INTERP\b", re.MULTILINE)
# What crt1.o and the linker put into every program.
LINKER = {"_IO_stdin_used", "__data_start", "data_start", "__bss_start", "_edata", "_end", "_start",
          "_init", "_fini", "main", "__libc_csu_init", "__libc_csu_fini", "environ", "_environ",
          "__environ"}


def output_of(*words):
    return subprocess.run(words, text=True, capture_output=True, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def check_needed(program):
    forbidden = FORBIDDEN[program.name]
    return [f"{program.name} needs {library}"
            for library in NEEDED.findall(output_of("readelf", "--dynamic", str(program)))
            if library.startswith(forbidden)]


def check_static(program):
    if "" in FORBIDDEN[program.name] and INTERPRETER.search(output_of("readelf", "-l", str(program))):
        return [f"{program.name} has an interpreter: it must start in any runtime"]
    return []


def check_exports(program):
    problems = []
    # A library's variable that a program uses gets its place in the program.
    copies = set(COPY.findall(output_of("readelf", "--relocs", "--wide", str(program))))
    text = output_of("nm", "--dynamic", "--defined-only", str(program))
    for line in text.splitlines():
        kind, name = line.split()[-2:]
        name = name.partition("@")[0]
        if kind.isupper() and kind not in "VW" and name not in LINKER | copies:
            problems.append(f"{program.name} exports {name}")
    return problems


def check_size(program):
    size = program.stat().st_size
    limit = MAX_BYTES.get(program.name)
    return [f"{program.name}: {size} bytes, more than {limit}"] if limit and size > limit else []


def main():
    report = tap.Report()
    for tool in ("readelf", "nm"):
        if shutil.which(tool) is None:
            report.skip("linked", f"no {tool}")
            report.finish()
    for path in map(pathlib.Path, sys.argv[1:]):
        report.check(f"{path.name}: libraries", check_needed(path) + check_static(path))
        # Sanitizers export what they intercept.
        if "libasan" not in output_of("readelf", "--dynamic", str(path)):
            report.check(f"{path.name}: exported symbols", check_exports(path))
        report.check(f"{path.name}: size", check_size(path))
    report.finish()


if __name__ == "__main__":
    main()
