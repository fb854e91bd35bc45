#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""shellcheck for every shell script, mandoc for every manual page."""

import os
import shutil
import subprocess
import tap

SCRIPT_FOLDERS = ("build-aux", "launcher", "runtimes", "tests", ".ci")


def is_shell_script(path):
    try:
        first, _, rest = tap.read(path).partition("\n")
    except UnicodeDecodeError:
        return False
    if first.startswith("#!"):
        return first.split("/")[-1].split()[-1] in ("sh", "bash", "dash")
    return "shellcheck shell=" in rest[:200]


def complaints(*command):
    result = subprocess.run(command, text=True, capture_output=True, check=False, cwd=tap.SOURCE,
                            env={**os.environ, "LC_ALL": "C.UTF-8"})
    lines = (result.stdout + result.stderr).splitlines()
    return lines or ([f"status {result.returncode}"] if result.returncode != 0 else [])


def main():
    report = tap.Report()
    folders = [folder for folder in SCRIPT_FOLDERS if (tap.SOURCE / folder).is_dir()]
    rows = [
        ("shellcheck", ("shellcheck", "--format=gcc", "--external-sources"),
         [path for path in tap.list_files("*", folders=folders) if is_shell_script(path)]),
        ("mandoc", ("mandoc", "-T", "lint", "-W", "warning"),
         tap.list_files("*.1", folders=("launcher/man",))),
    ]
    for tool, command, files in rows:
        report.check(f"{tool}: there is something to look at", [] if files else ["no file"])
        for path in files:
            if shutil.which(tool) is None:
                report.skip(str(path), f"no {tool}")
            else:
                report.check(str(path), complaints(*command, str(path)))
    report.finish()


if __name__ == "__main__":
    main()
