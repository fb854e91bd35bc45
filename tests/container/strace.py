# SPDX-License-Identifier: LGPL-2.1-or-later
"""System calls that fail, or end their process, when strace(1) says so."""

import collections
import functools
import re
import shutil
import subprocess

SKIP = "ptrace is not allowed here"

CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)


@functools.lru_cache
def works():
    if shutil.which("strace") is None:
        return False
    result = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], check=False,
                            capture_output=True)
    return result.returncode == 0


def require(case):
    """Skips the test where strace does not work.  No program can look for leaks while it is traced."""
    if not works():
        case.skipTest(SKIP)
    options = case.environment.get("ASAN_OPTIONS", "")
    case.environment["ASAN_OPTIONS"] = f"{options}:detect_leaks=0".lstrip(":")


def inject(log, calls, fault, when="1+", paths=(), children=True):
    """Words before a command, in which @fault happens to @calls.

    @when: counted in each process by itself; @paths: only where the call has one of these, or an fd
    of it; @children: also in them.  (With --seccomp-bpf nothing is injected.)
    """
    return ["strace", *(["-f"] if children else []), "-qq", "-o", str(log),
            *(word for path in paths for word in ("-P", str(path))),
            "-e", "signal=none", "-e", f"trace={calls}",
            "-e", f"inject={calls}:{fault}:when={when}"]


def was_reached(log, number):
    """Whether any process has made @number of the calls."""
    text = log.read_text(errors="replace")
    counts = collections.Counter(pid for pid, _ in CALL.findall(text))
    return any(count >= number for count in counts.values())
