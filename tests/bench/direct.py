#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a direct launch takes, against bubblewrap alone; all interleaved in one run.

  minimal   bubblewrap with the fewest mounts that run /bin/true from the runtime
  same      bubblewrap with exactly the arguments that --dry-run=argv prints
  direct    pv-launch --runtime=RUNTIME -- /bin/true
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import bench

WARM_UP = 10

REAL_MOUNTS = ("--ro-bind", "--bind", "--dev-bind", "--proc", "--tmpfs", "--dev")


class Command:
    """What is started: words, and contents on numbered file descriptors."""

    def __init__(self, name, argv, environment, mounts, files=None):
        self.name = name
        self.argv = argv
        self.environment = environment
        self.mounts = mounts
        self.files = {}
        for number, data in (files or {}).items():
            fd = os.memfd_create(f"{name}-{number}")
            os.write(fd, data)
            self.files[number] = fd
        self.actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in self.files.items()]
        self.times = []

    def run(self):
        """Returns: milliseconds"""
        for fd in self.files.values():
            os.lseek(fd, 0, os.SEEK_SET)
        started = time.perf_counter_ns()
        pid = os.posix_spawn(self.argv[0], self.argv, self.environment, file_actions=self.actions)
        _, status = os.waitpid(pid, 0)
        ended = time.perf_counter_ns()
        if status != 0:
            sys.exit(f"{self.name}: status {os.waitstatus_to_exitcode(status)}")
        return (ended - started) / 1e6


def record(folder):
    """In the place of bubblewrap: writes down how it was started, and ends."""
    folder = pathlib.Path(folder)
    argv = sys.argv[3:]
    (folder / "argv").write_text(json.dumps(argv), encoding="utf-8")
    for i, word in enumerate(argv):
        if word == "--":
            break
        if word in ("--file", "--bind-data", "--ro-bind-data"):
            with open(int(argv[i + 1]), "rb", closefd=False) as stream:
                (folder / argv[i + 1]).write_bytes(stream.read())


def make_same(bwrap, launch, runtime, environment):
    """The shell is run once, with record() in bubblewrap's place."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = pathlib.Path(folder) / "recorder"
        recorder.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{pathlib.Path(__file__).resolve()}'"
                            f" --record '{folder}' \"$@\"\n", encoding="utf-8")
        recorder.chmod(0o755)
        command = subprocess.run(
            [launch, f"--runtime={runtime}", "--dry-run=argv", "--", "/bin/true"], text=True,
            env={**environment, "PV_LAUNCH_BWRAP": str(recorder)}, check=True,
            stdout=subprocess.PIPE).stdout
        subprocess.run(["/bin/sh", "-c", command], env=environment, check=True)
        argv = json.loads((pathlib.Path(folder) / "argv").read_text(encoding="utf-8"))
        files = {int(path.name): path.read_bytes() for path in pathlib.Path(folder).iterdir()
                 if path.name.isdigit()}
    mounts = sum(word in REAL_MOUNTS for word in argv[:argv.index("--")])
    return Command("same", [bwrap] + argv, environment, mounts, files)


def make_direct(launch, runtime, environment):
    words = [launch, f"--runtime={runtime}"]
    plan = json.loads(subprocess.run(words + ["--dry-run=json", "--", "/bin/true"], text=True,
                                     env=environment, check=True, stdout=subprocess.PIPE).stdout)
    return Command("direct", words + ["--", "/bin/true"], environment, plan["mount_count"])


def measure(commands, rounds):
    """Each round starts each command once, and each round with another one."""
    for i in range(WARM_UP + rounds):
        for j in range(len(commands)):
            command = commands[(i + j) % len(commands)]
            taken = command.run()
            if i >= WARM_UP:
                command.times.append(taken)


def get_ratio(command, other):
    return statistics.median(a / b for a, b in zip(command.times, other.times))


def print_table(commands):
    minimal, same = commands[0], commands[1]
    print(f"{'':10}{'mounts':>8}{'median ms':>11}{'quartiles':>17}{'x minimal':>11}{'x same':>8}")
    for command in commands:
        low, middle, high = statistics.quantiles(command.times, n=4)
        print(f"{command.name:10}{command.mounts:>8}{middle:>11.2f}{f'{low:.2f}-{high:.2f}':>17}"
              f"{get_ratio(command, minimal):>11.2f}{get_ratio(command, same):>8.2f}")


def measure_all(setting):
    environment = setting.environment
    words = bench.list_minimal_words(setting.bwrap, setting.runtime)
    commands = [
        Command("minimal", words + ["/bin/true"], environment, 1),
        make_same(setting.bwrap, setting.launch, setting.runtime, environment),
        make_direct(setting.launch, setting.runtime, environment),
    ]
    measure(commands, setting.rounds)
    print_table(commands)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        record(sys.argv[2])
    else:
        bench.run(__doc__.splitlines()[0], 300, measure_all)
