# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all benchmarks share: the programs, the runtime, the ordinary user.

The runtime is an argument, or NAME in the store that PV_TEST_RUNTIMES names.  PV_LAUNCH is the
program.  Started as root, all is run as an ordinary user: nobody, or PV_TEST_UID if /etc/passwd has
that one; for a user whom it does not have, each launch would ask other services first.
"""

import argparse
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


class Setting:
    """What is measured: paths, and the environment of all that is started."""

    def __init__(self, arguments, runtime, bwrap, launch, home):
        self.rounds = arguments.rounds
        self.runtime = runtime
        self.bwrap = bwrap
        self.launch = launch
        self.environment = {name: value for name, value in os.environ.items()
                            if name in ("PATH", "PV_LAUNCH_LIBEXECDIR")}
        self.environment |= {"HOME": home, "PV_LAUNCH_BWRAP": bwrap}

    def print_title(self):
        version = subprocess.run([self.bwrap, "--version"], text=True, check=True,
                                 stdout=subprocess.PIPE).stdout.strip()
        print(f"{self.runtime}, {version}, {self.rounds} rounds, uid {os.getuid()}")


def list_minimal_words(bwrap, runtime):
    """Bubblewrap with the fewest mounts, up to the program.  A merged /usr needs the links that lead to the loader and to /bin/true; a root needs none."""
    if (runtime / "usr").is_dir():
        arguments = ["--ro-bind", str(runtime), "/"]
    else:
        arguments = ["--ro-bind", str(runtime), "/usr"]
        for name in ("bin", "lib", "lib64"):
            if (runtime / name).is_dir():
                arguments += ["--symlink", f"usr/{name}", f"/{name}"]
    return [bwrap] + arguments + ["--"]


def find_runtime(argument, name):
    """Returns: the folder that is the runtime, or None"""
    store = os.environ.get("PV_TEST_RUNTIMES")
    if argument is not None:
        path = pathlib.Path(argument)
    elif store:
        path = pathlib.Path(store) / name
    else:
        return None
    inner = path / "files"
    return (inner if inner.is_dir() else path).resolve()


def find_ordinary_user():
    try:
        return pwd.getpwuid(int(os.environ["PV_TEST_UID"]))
    except KeyError:
        return pwd.getpwnam("nobody")


def become_ordinary_user(home):
    if os.getuid() == 0:
        user = find_ordinary_user()
        os.chown(home, user.pw_uid, user.pw_gid)
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.chdir(home)


def parse_arguments(title, rounds):
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("runtime", nargs="?", help="a folder")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--name", default="minimal", help="which one of PV_TEST_RUNTIMES")
    return parser.parse_args()


def run(title, rounds, measure):
    """Calls @measure with a Setting, as an ordinary user in a folder of its own."""
    arguments = parse_arguments(title, rounds)
    runtime = find_runtime(arguments.runtime, arguments.name)
    bwrap = os.environ.get("PV_LAUNCH_BWRAP") or shutil.which("bwrap")
    launch = os.environ.get("PV_LAUNCH") or shutil.which("pv-launch")
    if runtime is None or bwrap is None or launch is None:
        print("skipped: a runtime, bwrap or pv-launch is missing; PV_TEST_RUNTIMES names a store")
        sys.exit(SKIPPED)

    with tempfile.TemporaryDirectory(prefix="pv-bench-",
                                     dir=os.environ.get("PV_BENCH_FOLDER", "/var/tmp")) as home:
        pid = os.fork()
        if pid != 0:
            _, status = os.waitpid(pid, 0)
            sys.exit(os.waitstatus_to_exitcode(status))
        become_ordinary_user(home)
        setting = Setting(arguments, runtime, bwrap, launch, home)
        setting.print_title()
        measure(setting)
        sys.stdout.flush()
        os._exit(0)
