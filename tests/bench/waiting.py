#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What waiting costs, against bubblewrap alone; all interleaved in one run.

memory: the sum of the proportional set sizes (PSS) of all processes but the program, while that one
sleeps: KiB.

end: from the end of the last process in the container, which is when the pipe that it inherited is
closed, to the end of the launcher: the program itself (program), or a process that it has left in
the background (background); in microseconds, and in parts of the same for bubblewrap.
"""

import contextlib
import os
import pathlib
import select
import statistics
import subprocess
import time

import bench

WARM_UP = 5

PROGRAMS = {
    "program": ["/bin/true"],
    # The shell waits until its child has its own session; bubblewrap alone ends at once.
    "background": ["/bin/sh", "-c", "setsid sh -c 'sleep 0.03' </dev/null >/dev/null 2>&1 &"],
}


def list_processes(pid):
    """@pid and all below it, the last one being the program."""
    found = [pid]
    for process in found:
        children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text()
        found += [int(child) for child in children.split()]
    return found


def get_pss(pid):
    """Returns: KiB"""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(pid)


def measure_memory(words, environment):
    """Returns: KiB, and how many processes"""
    process = subprocess.Popen(words + ["/bin/cat"], env=environment, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    process.stdin.write(b"x")
    process.stdin.flush()
    process.stdout.read(1)
    # Bubblewrap may not have gone yet: wait until nobody is left but who waits.
    sizes, last = None, []
    while sizes != last:
        last = sizes
        time.sleep(0.05)
        with contextlib.suppress(OSError):
            sizes = [get_pss(pid) for pid in list_processes(process.pid)[:-1]]
    process.stdin.close()
    process.wait()
    process.stdout.close()
    return sum(sizes), len(sizes)


def measure_end(words, environment, program, pass_fd):
    """Returns: microseconds"""
    end, inherited = os.pipe()
    os.set_inheritable(inherited, True)
    option = [f"--pass-fd={inherited}"] if pass_fd else []
    argv = [words[0], *option, *words[1:], *PROGRAMS[program]]
    pid = os.posix_spawn(argv[0], argv, environment)
    os.close(inherited)
    select.select([end], [], [])
    ended = time.perf_counter_ns()
    os.waitpid(pid, 0)
    returned = time.perf_counter_ns()
    os.close(end)
    return (returned - ended) / 1e3


def measure(setting):
    launch = [setting.launch, f"--runtime={setting.runtime}"]
    rows = {
        "bubblewrap": bench.list_minimal_words(setting.bwrap, setting.runtime),
        "pv-launch": launch + ["--"],
        "pv-launch --unshare-pid": launch + ["--unshare-pid", "--"],
    }
    times = {(row, program): [] for row in rows for program in PROGRAMS}
    for i in range(WARM_UP + setting.rounds):
        for (row, program), taken in times.items():
            # Bubblewrap alone does not wait for what the program leaves.
            if row == "bubblewrap" and program == "background":
                continue
            result = measure_end(rows[row], setting.environment, program, row != "bubblewrap")
            if i >= WARM_UP:
                taken.append(result)

    print(f"{'':24}{'processes':>10}{'KiB':>6}{'program us':>12}{'x bwrap':>9}{'background us':>15}")
    alone = times["bubblewrap", "program"]
    for row, words in rows.items():
        size, count = measure_memory(words, setting.environment)
        program, background = times[row, "program"], times[row, "background"]
        ratio = statistics.median(a / b for a, b in zip(program, alone))
        last = f"{statistics.median(background):15.0f}" if background else f"{'-':>15}"
        print(f"{row:24}{count:>10}{size:>6}{statistics.median(program):>12.0f}{ratio:>9.2f}{last}")


if __name__ == "__main__":
    bench.run(__doc__.splitlines()[0], 100, measure)
