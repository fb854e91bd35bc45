# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all tests of containers share: a private folder, programs under test, locks.

The environment says what is tested:
  PV_LAUNCH, PVCTL          the programs; else those in PATH
  PV_LAUNCH_LIBEXECDIR, PV_LAUNCH_RECIPEDIR   handed on to them
  PV_TEST_PROBE             the compiled probe.c
  PV_TEST_RUNTIMES          a store with debian11, debian11-root, debian13 and minimal
  PV_TEST_UID               an ordinary user, for tests that are run as root
  CI=true, PV_TEST_STRICT=1   a skip is a failure, unless tests/allowed-skips.txt has its reason
"""

import contextlib
import ctypes
import fcntl
import functools
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import tap_result

PV_LAUNCH = os.environ.get("PV_LAUNCH") or shutil.which("pv-launch") or "pv-launch"
PROBE = os.environ.get("PV_TEST_PROBE", "")
RUNTIMES = os.environ.get("PV_TEST_RUNTIMES", "")
ORDINARY_UID = int(os.environ.get("PV_TEST_UID", "61234"))

# Not /tmp, which containers share with the host.
TEMPORARY = "/var/tmp"

# What is handed on to the programs; everything else of the environment is the test's own.
INHERITED = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "PATH", "PV_LAUNCH_LIBEXECDIR",
             "PV_LAUNCH_RECIPEDIR", "PV_LAUNCH_BWRAP", "LD_LIBRARY_PATH")

SKIP_NO_RUNTIMES = "PV_TEST_RUNTIMES is not set"

PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """A function of libc; raises OSError if it returns -1."""
    if getattr(libc, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def pack_lock(kind):
    """struct flock for a whole file."""
    return struct.pack("@hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)


def try_lock(path, kind, command=fcntl.F_OFD_SETLK):
    """Whether a lock on @path is granted now; it is let go at once."""
    access = os.O_RDWR if kind == fcntl.F_WRLCK else os.O_RDONLY
    fd = os.open(path, access | os.O_CLOEXEC)
    try:
        fcntl.fcntl(fd, command, pack_lock(kind))
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def is_locked(path):
    """Whether an exclusive lock would be refused; needs no permission to write."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, pack_lock(fcntl.F_WRLCK))
        return struct.unpack("@hhqqi0q", answer)[0] != fcntl.F_UNLCK
    finally:
        os.close(fd)


@contextlib.contextmanager
def hold_exclusive(path, command=fcntl.F_OFD_SETLK):
    """Holds an exclusive lock; calling what it yields lets go before the end."""
    fds = [os.open(path, os.O_RDWR | os.O_CLOEXEC)]

    def release():
        while fds:
            os.close(fds.pop())

    try:
        fcntl.fcntl(fds[0], command, pack_lock(fcntl.F_WRLCK))
        yield release
    finally:
        release()


def exchange(first, second):
    """renameat2(2) with RENAME_EXCHANGE."""
    call("renameat2", -100, os.fsencode(first), -100, os.fsencode(second), 2)


def list_processes():
    """Pairs of pid and the fields of /proc/PID/stat from the state on."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                text = pathlib.Path("/proc", name, "stat").read_text(errors="replace")
                yield int(name), text.rpartition(")")[2].split()


def list_descendants(pid, zombies=False):
    """The pids of all that live below @pid; with @zombies, also of what nobody has waited for."""
    parents = {child: int(fields[1]) for child, fields in list_processes()
               if zombies or fields[0] != "Z"}
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def describe_process(pid):
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return f"{pid} ({words.decode(errors='replace')[:200]})"
    return str(pid)


def find_supervisors(pid):
    """The pids of the supervisor outside and of the one inside."""
    for child in list_descendants(pid):
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if len(words) > 1 and words[1].startswith(b"--inside="):
                return pid, child
    raise AssertionError(f"process {pid} has no supervisor inside")


def kill(pid):
    """Kills a process, which need not be a child, and waits until it has gone."""
    fd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        select.select([fd], [], [])
    finally:
        os.close(fd)


def wait_until(condition):
    """Asks again and again until @condition is met; returns what it returned."""
    while not (answer := condition()):
        time.sleep(0.005)
    return answer


def in_each_mode(function):
    """A test that is done with processes shared and unshared; its argument are the options."""
    @functools.wraps(function)
    def test(self):
        for options in ([], ["--unshare-pid"]):
            with self.subTest(options):
                function(self, options)
    return test


def is_root():
    """Whether this is the real root, not one that a user namespace has made."""
    if os.geteuid() != 0:
        return False
    return pathlib.Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


def in_mount_namespace(script, command):
    """@command, in a mount namespace in which the shell commands @script have been run."""
    flags = "-m" if os.geteuid() == 0 else "-rm"
    return ["unshare", flags, "sh", "-ec", script + '\nexec "$@"', "sh", *command]


def as_ordinary_user(command):
    """@command, as an ordinary user if this one is root; otherwise as it is."""
    if not is_root():
        return list(command)
    return ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups",
            "--", *command]


def remove_tree(folder):
    """Also what has lost its permissions."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            inner = os.path.join(path, name)
            if not os.path.islink(inner):
                with contextlib.suppress(OSError):
                    os.chmod(inner, 0o700)
    shutil.rmtree(folder)


class Result:
    """Of a program that has ended; standard output is bytes."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err.decode(errors="surrogateescape")

    @property
    def text(self):
        return self.out.decode(errors="surrogateescape")

    @property
    def lines(self):
        return self.err.splitlines()


class Case(unittest.TestCase):
    """A test with a private folder, after which no process and no lock is left."""

    timeout = 60
    extra_environment = {}

    def setUp(self):
        self.processes = []
        self.runtimes = []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pv-test-", dir=TEMPORARY))
        self.addCleanup(remove_tree, self.folder)
        self.addCleanup(self.check_locks)
        self.addCleanup(self.check_processes)
        self.set_alarm()
        self.folder.chmod(0o755)
        for name in ("home", "session", "work"):
            (self.folder / name).mkdir(0o700)
        self.work = self.folder / "work"
        self.environment = {
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_DATA_DIRS": str(self.folder / "none"),
            "XDG_RUNTIME_DIR": str(self.folder / "session"),
            "G_DEBUG": "fatal-warnings",
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            **self.extra_environment,
        }

    def set_alarm(self):
        def expire(_number, _frame):
            raise TimeoutError(f"the test took more than {self.timeout} s")

        signal.signal(signal.SIGALRM, expire)
        # Again and again: what waits after that, in another mode, is not to wait for ever.
        signal.setitimer(signal.ITIMER_REAL, self.timeout, self.timeout)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def check_processes(self):
        left = [describe_process(pid) for pid in list_descendants(os.getpid())]
        while pids := list_descendants(os.getpid()):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
        for process in self.processes:
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            process.wait()
        self.reap()
        self.assertEqual(left, [], "processes are left")

    @staticmethod
    def reap():
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass

    @staticmethod
    def wait_for_children():
        """Also for what has come to this process because it has lost its parents."""
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def assert_nothing_left(self):
        """Neither a process nor what nobody has waited for."""
        left = list_descendants(os.getpid(), zombies=True)
        self.assertEqual([describe_process(pid) for pid in left], [])

    def check_locks(self):
        left = [str(path) for path in self.runtimes if path.exists() and is_locked(path)]
        self.assertEqual(left, [], "locks are left")

    def make_runtime(self, path="scout/files", marker="first", ref=True):
        """A merged /usr with nothing but the probe and a file that tells it from others."""
        files = self.work / path
        (files / "bin").mkdir(parents=True)
        shutil.copy(PROBE, files / "bin/probe")
        (files / "marker").write_text(marker)
        if ref:
            (files / ".ref").touch()
        self.runtimes.append(files / ".ref")
        return files

    def get_runtime(self, name):
        """One of those that were built for the tests."""
        if not RUNTIMES:
            self.skipTest(SKIP_NO_RUNTIMES)
        files = pathlib.Path(RUNTIMES, name, "files")
        self.assertTrue(files.is_dir(), f"{files} is missing")
        return files

    def start(self, *arguments, command=None, environment=None, **others):
        """Starts pv-launch, or @command."""
        others.setdefault("cwd", self.work)
        for stream in ("stdin", "stdout", "stderr"):
            others.setdefault(stream, subprocess.PIPE)
        words = [PV_LAUNCH, *arguments] if command is None else [*command, *arguments]
        process = subprocess.Popen(words, env={**self.environment, **(environment or {})}, **others)
        self.processes.append(process)
        return process

    @staticmethod
    def finish(process, data=b""):
        """Ends standard input and waits for the end."""
        if process.stdin is None:
            out, err = process.communicate()
        elif process.stdin.closed:
            process.stdin = None
            out, err = process.communicate()
        else:
            out, err = process.communicate(data)
        return Result(process.returncode, out or b"", err or b"")

    def run_launch(self, *arguments, data=b"", **others):
        """Runs pv-launch to its end."""
        return self.finish(self.start(*arguments, **others), data)

    def start_waiting(self, *arguments, probe=(), **others):
        """Starts the probe, which does what @probe says; returns when it is running."""
        words = [] if "--" in arguments else ["--", "probe"]
        process = self.start(*arguments, *words, "--wait", *probe, **others)
        self.read_until(process, b"ready\n")
        return process

    def read_until(self, process, end):
        """What the program writes up to a line that is @end."""
        text = b""
        while not text.endswith(end):
            line = process.stdout.readline()
            if not line:
                self.fail(f"no {end!r} but {text!r}, and {process.stderr.read()!r}")
            text += line
        return text[:-len(end)]

    def assert_works(self, result):
        self.assertEqual((result.status, result.err), (0, ""))

    def assert_failed(self, result, *words, status=125):
        """One line that has all of @words, and perhaps a hint."""
        self.assertEqual(result.status, status, result.err)
        lines = result.lines
        self.assertTrue(lines and lines[0].startswith("pv-launch: "), result.err)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertLessEqual(len(lines), 2, result.err)
        for line in lines[1:]:
            self.assertTrue(line.startswith("hint: "), result.err)
        self.assertEqual(result.out, b"")


class SurroundingsCase(Case):
    """A test of what a program in a container sees."""

    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def probe(self, *words, options=(), **others):
        """What the probe prints in a container."""
        result = self.run_launch("--runtime=scout", *options, "--", "probe", *words, **others)
        self.assert_works(result)
        return result.text

    def get_variables(self, *options, **others):
        text = self.probe("cat", "/proc/self/environ", options=options, **others)
        return dict(word.split("=", 1) for word in text.split("\0") if word)

    def is_there(self, path, *options, **others):
        result = self.run_launch("--runtime=scout", *options, "--", "probe", "stat", path, **others)
        return result.status == 0

    def write_inside(self, path, *options, **others):
        """0, or the number of the error."""
        answer = self.probe("write", path, options=options, **others).strip()
        return 0 if answer == "written" else int(answer)


class LockCase(Case):
    """A test of the lock of a runtime, as who wants the exclusive one sees it."""

    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()
        self.ref = self.files / ".ref"

    def assert_held(self, ref=None):
        """Exclusive is refused, whoever asks; shared is granted."""
        ref = ref or self.ref
        for command in (fcntl.F_OFD_SETLK, fcntl.F_SETLK):
            self.assertFalse(try_lock(ref, fcntl.F_WRLCK, command), f"{ref} is not locked")
            self.assertTrue(try_lock(ref, fcntl.F_RDLCK, command), f"{ref} is not locked shared")

    def assert_still_held(self, ref=None, seconds=0.15):
        """All the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assert_held(ref)

    def assert_free(self, ref=None):
        """Exclusive is granted at once."""
        ref = ref or self.ref
        for command in (fcntl.F_OFD_SETLK, fcntl.F_SETLK):
            self.assertTrue(try_lock(ref, fcntl.F_WRLCK, command), f"{ref} is locked")


class WithoutOfd:
    """The same with the locks of kernels before 3.15."""

    extra_environment = {"PV_LAUNCH_TEST_NO_OFD": "1"}


def main():
    """Runs the tests of the program; words on the command line select by a part of the name."""
    os.umask(0o022)
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    loader = unittest.TestLoader()
    if len(sys.argv) > 1:
        loader.testNamePatterns = [f"*{word}*" for word in sys.argv[1:]]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    print("TAP version 13")
    print(f"1..{suite.countTestCases()}")
    sys.stdout.flush()
    result = tap_result.TapResult()
    suite.run(result)
    sys.exit(1 if result.failed else 0)
