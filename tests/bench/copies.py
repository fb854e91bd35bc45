#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What mutable copies cost, against bubblewrap alone and cp; what is compared is interleaved.

overlay: from the start of /bin/true until nothing of the copy is left, in parts of bubblewrap with
the fewest mounts (minimal), from runtimes of 200, 2,000 and 20,000 files: it should not grow.

strategies: from the start until nothing is left, less a direct launch, against cp and rm -r with the
same method; those that the filesystem below PV_BENCH_FOLDER (/var/tmp) can do.

clean-up: of 1,000 overlay copies that were left behind, by `pvctl gc`; beside it launches go on,
and how long they take until their copy is made is compared with that alone.
"""

import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import bench
import direct

SIZES = (200, 2000, 20000)

FILES_PER_FOLDER = 50

CP = {"hardlink": ["--link"], "reflink": ["--reflink=always"], "copy": ["--reflink=never"]}

LEFT_BEHIND = 1000


def list_needed(runtime):
    """What /bin/true needs, below a merged /usr."""
    yield from ("bin/true", "lib64/ld-linux-x86-64.so.2")
    for library in runtime.glob("lib/*-linux-gnu/libc.so.6"):
        yield library.relative_to(runtime)


def make_runtime(source, path, size):
    """As few files as a program needs, and as many more as make @size."""
    for name in list_needed(source):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, path / name)
    (path / ".ref").touch()
    (path / "bin/sh").symlink_to("true")
    for i in range(size - 5):
        folder = path / f"share/{i // FILES_PER_FOLDER}"
        if i % FILES_PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / str(i)).write_bytes(b"x" * (i % 5000))


class Command(direct.Command):
    """Ends when nothing is left in @parent but its lock file."""

    def __init__(self, name, argv, environment, parent):
        super().__init__(name, argv, environment, 0)
        self.parent = parent

    def run(self):
        started = time.perf_counter_ns()
        super().run()
        while len(os.listdir(self.parent)) > 1:
            time.sleep(0.0001)
        return (time.perf_counter_ns() - started) / 1e6


class Copying:
    """cp and rm -r."""

    def __init__(self, strategy, source, folder):
        self.name = f"cp {' '.join(CP[strategy])}"
        self.target = folder / "cp"
        self.words = ["cp", "--archive", *CP[strategy], str(source), str(self.target)]
        self.times = []

    def run(self):
        started = time.perf_counter_ns()
        subprocess.run(self.words, check=True, stderr=subprocess.PIPE)
        subprocess.run(["rm", "-r", str(self.target)], check=True)
        return (time.perf_counter_ns() - started) / 1e6


def make_copying(setting, runtime, folder, strategy):
    parent = folder / f"parent-{strategy}"
    words = [setting.launch, f"--runtime={runtime}", f"--runtime-mutable-parent={parent}",
             f"--copy-strategy={strategy}", "--", "/bin/true"]
    command = Command(strategy, words, setting.environment, parent)
    status = subprocess.run(words, env=setting.environment, stderr=subprocess.PIPE, check=False)
    return command if status.returncode == 0 else None


def measure_overlay(setting, folder, runtimes):
    print(f"{'overlay':10}{'files':>8}{'median ms':>11}{'x minimal':>11}{'x direct':>10}")
    for size, runtime in runtimes.items():
        minimal = direct.Command("minimal", bench.list_minimal_words(setting.bwrap, runtime)
                                 + ["/bin/true"], setting.environment, 1)
        plain = direct.Command("direct", [setting.launch, f"--runtime={runtime}", "--", "/bin/true"],
                               setting.environment, 0)
        overlay = make_copying(setting, runtime, folder, "overlay")
        if overlay is None:
            print("this user cannot mount overlays here")
            return
        direct.measure([minimal, plain, overlay], setting.rounds)
        print(f"{'':10}{size:>8}{statistics.median(overlay.times):>11.2f}"
              f"{direct.get_ratio(overlay, minimal):>11.2f}{direct.get_ratio(overlay, plain):>10.2f}")


def measure_strategies(setting, folder, runtime):
    rounds = max(setting.rounds // 30, 3)
    print(f"{'strategy':10}{'median ms':>19}{'cp ms':>11}{'x cp':>11}")
    for strategy in CP:
        command = make_copying(setting, runtime, folder, strategy)
        if command is None:
            print(f"{strategy:10}{'not here':>19}")
            continue
        copying = Copying(strategy, runtime, folder)
        for i in range(rounds + 1):
            for one in (command, copying):
                taken = one.run()
                if i > 0:
                    one.times.append(taken)
        print(f"{strategy:10}{statistics.median(command.times):>19.1f}"
              f"{statistics.median(copying.times):>11.1f}{direct.get_ratio(command, copying):>11.2f}")


def leave_behind(parent):
    """Overlay copies whose launchers have been killed."""
    for i in range(LEFT_BEHIND):
        copy = parent / f"tmp-{i:06}"
        for name in ("usr", "upper", "work/work"):
            (copy / name).mkdir(parents=True)
        (copy / ".ref").symlink_to("usr/.ref")
        (copy / "usr/.ref").touch()
        (copy / "upper/.ref").touch()


def time_launch(setting, runtime, parent):
    """Returns: milliseconds from the runtime's lock until the copy is made"""
    reading, writing = os.pipe()
    subprocess.run([setting.launch, f"--runtime={runtime}", f"--runtime-mutable-parent={parent}",
                    "--copy-strategy=overlay", f"--status-fd={writing}", "--", "/bin/true"],
                   env=setting.environment, pass_fds=[writing], check=True)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        times = {event["event"]: event["elapsed"] for event in map(json.loads, stream)}
    return (times["copied"] - times["locked"]) * 1000


def measure_clean_up(setting, folder, runtime):
    pvctl = os.environ.get("PVCTL") or shutil.which("pvctl")
    if pvctl is None or make_copying(setting, runtime, folder, "overlay") is None:
        print("clean-up: skipped: there is no pvctl, or no overlay")
        return
    parent = folder / "parent-overlay"
    alone = [time_launch(setting, runtime, parent) for _ in range(50)]
    leave_behind(parent)
    beside = []
    started = time.perf_counter()
    with subprocess.Popen([pvctl, "gc", f"--parent={parent}"], env=setting.environment,
                          stdout=subprocess.DEVNULL) as cleaner:
        while cleaner.poll() is None:
            beside.append(time_launch(setting, runtime, parent))
    taken = time.perf_counter() - started
    leave_behind(parent)
    started = time.perf_counter()
    subprocess.run([pvctl, "gc", f"--parent={parent}"], env=setting.environment, check=True,
                   stdout=subprocess.DEVNULL)
    print(f"clean-up   {LEFT_BEHIND} copies: {time.perf_counter() - started:.2f} s, with launches beside "
          f"{taken:.2f} s\n"
          f"           copy made in {statistics.median(alone):.2f} ms (slowest {max(alone):.2f}) alone, "
          f"{statistics.median(beside):.2f} ms (slowest {max(beside):.2f}) beside, "
          f"{len(beside)} launches")


def settle():
    """What has been written goes to the disk now, and not beside what is measured."""
    os.sync()


def measure_all(setting):
    folder = pathlib.Path(setting.environment["HOME"])
    if setting.runtime / "usr" in setting.runtime.iterdir():
        sys.exit("copies: the runtime must be a merged /usr")
    setting.environment["XDG_STATE_HOME"] = str(folder / "state")
    runtimes = {size: folder / f"runtime-{size}" for size in SIZES}
    for size, runtime in runtimes.items():
        make_runtime(setting.runtime, runtime, size)
    settle()
    measure_overlay(setting, folder, runtimes)
    measure_strategies(setting, folder, runtimes[SIZES[-1]])
    settle()
    measure_clean_up(setting, folder, runtimes[SIZES[0]])
    with contextlib.suppress(OSError):
        shutil.rmtree(folder / "state")


if __name__ == "__main__":
    bench.run(__doc__.splitlines()[0], 100, measure_all)
