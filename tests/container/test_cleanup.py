#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the supervisor outside does when all have gone: it starts a program that cleans up.

The supervisor is started by this file itself, which stands for pv-launch, for bubblewrap, for the
supervisor inside and for that program:

  test_cleanup.py --become REF RECORD OPTIONS PROGRAM…   becomes the supervisor
  test_cleanup.py --clean REF RECORD PIPE   the program: writes what it sees to RECORD, then waits
                                            for the end of PIPE, if it has one
"""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import socket
import struct
import sys
import time

import harness

LIBEXEC = os.environ.get("PV_LAUNCH_LIBEXECDIR", "")
PASSED_ON = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
             signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT, signal.SIGCHLD]
PV_MESSAGE_EXITED = 4
STATUS = 7


def add_record(path, record):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def fork(function):
    """The pid of a process that does only that."""
    pid = os.fork()
    if pid != 0:
        return pid
    with contextlib.suppress(Exception):
        function()
    os._exit(0)


def become_supervisor(ref, record, options, *program):
    """Its program has ended, and has left a process that stays until standard input ends."""
    link_outside, link_inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def leave():
        link_inside.close()
        os.read(0, 1)
        add_record(record, "the last process ends")

    def stand_for_inside():
        link_outside.close()
        fork(leave)
        link_inside.send(struct.pack("=Ii", PV_MESSAGE_EXITED, STATUS))

    os.set_inheritable(link_outside.fileno(), True)
    lease = os.open(ref, os.O_RDONLY)
    fcntl.fcntl(lease, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_RDLCK))
    os.set_inheritable(lease, True)
    orders = os.memfd_create("cleanup", 0)
    os.write(orders, b"".join(os.fsencode(word) + b"\0" for word in program))
    harness.call("prctl", harness.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    bwrap = fork(signal.pause)
    inside = fork(stand_for_inside)
    os.execv(f"{LIBEXEC}/pv-supervise", [
        "pv-supervise", "--outside", f"--bwrap={bwrap}", f"--inside={inside}",
        f"--link={link_outside.fileno()}", f"--cleanup={orders}", *options.split(), "--", "none"])


def clean(ref, record, pipe):
    descriptors = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            descriptors[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    status = pathlib.Path("/proc/self/status").read_text()
    status = dict(line.split(":\t", 1) for line in status.splitlines())
    add_record(record, {
        "granted": [harness.try_lock(ref, fcntl.F_WRLCK, command)
                    for command in (fcntl.F_OFD_SETLK, fcntl.F_SETLK)],
        "fds": descriptors,
        "blocked": int(status["SigBlk"], 16),
        "leads its session": os.getsid(0) == os.getpid(),
        "parent": os.getppid(),
        "pid": os.getpid(),
    })
    if pipe:
        pathlib.Path(pipe).read_bytes()
    # This status is nobody's.
    sys.exit(3)


class CleanupTest(harness.Case):
    timeout = 30

    def setUp(self):
        super().setUp()
        if not LIBEXEC:
            self.skipTest("PV_LAUNCH_LIBEXECDIR is not set")
        self.ref = self.make_runtime() / ".ref"
        self.record = self.work / "record"
        self.pipe = self.work / "pipe"
        os.mkfifo(self.pipe)

    def start_supervisor(self, *options, pipe="", program=None):
        clean_up = [sys.executable, __file__, "--clean", self.ref, self.record, pipe]
        return self.start(
            "--become", self.ref, self.record, " ".join(options), *map(str, program or clean_up),
            command=[sys.executable, __file__])

    @staticmethod
    def count_children(process):
        """Of a process that has become the supervisor: its children, and all below them."""
        if pathlib.Path(f"/proc/{process.pid}/comm").read_text() != "pv-supervise\n":
            return []
        children = [pid for pid, fields in harness.list_processes()
                    if int(fields[1]) == process.pid]
        return [len(children), len(harness.list_descendants(process.pid, True)) - len(children)]

    def assert_cleaned(self):
        """It was started after all have ended, and has got nothing of theirs."""
        last, seen = map(json.loads, self.record.read_text().splitlines())
        self.assertEqual(last, "the last process ends")
        self.assertEqual(seen["granted"], [True, True])
        # One is that with which it lists them, which is closed by then.
        self.assertEqual([int(fd) for fd in seen["fds"] if int(fd) > 2], [])
        self.assertEqual(seen["blocked"], 0)
        return seen

    def test_not_before_the_end(self):
        process = self.start_supervisor()
        # Only what was left is there, and has come to the supervisor.
        harness.wait_until(lambda: self.count_children(process) == [1, 0])
        end = time.monotonic() + 0.15
        while time.monotonic() < end:
            self.assertFalse(harness.try_lock(self.ref, fcntl.F_WRLCK))
            self.assertEqual(self.count_children(process), [1, 0])
            self.assertFalse(self.record.exists())
        self.assertEqual(self.finish(process).status, STATUS)
        self.assert_cleaned()
        self.assert_nothing_left()

    def test_waited_for(self):
        process = self.start_supervisor(pipe=self.pipe)
        process.stdin.close()
        with open(self.pipe, "wb"):
            seen = self.assert_cleaned()
            self.assertEqual(seen["parent"], process.pid)
            self.assertFalse(seen["leads its session"])
            self.assertIsNone(process.poll())
            # It has the caller's standard output and standard error.
            for number, stream in (("1", process.stdout), ("2", process.stderr)):
                self.assertEqual(seen["fds"][number],
                                 os.readlink(f"/proc/self/fd/{stream.fileno()}"))
        result = self.finish(process)
        self.assertEqual((result.status, result.out, result.err), (STATUS, b"", ""))
        self.assert_nothing_left()

    def test_detached(self):
        process = self.start_supervisor("--cleanup-detached", pipe=self.pipe)
        process.stdin.close()
        with open(self.pipe, "wb"):
            self.assertEqual(process.wait(), STATUS)
            seen = self.assert_cleaned()
            self.assertTrue(seen["leads its session"])
            self.assertEqual(list(seen["fds"].values()), ["/dev/null"] * 3)
            # Nobody has the other ends: these return.
            self.assertEqual((process.stdout.read(), process.stderr.read()), (b"", b""))
            self.assertEqual(harness.list_descendants(os.getpid()), [seen["pid"]])
        self.wait_for_children()
        self.assert_nothing_left()

    def test_missing(self):
        for options in ([], ["--cleanup-detached"]):
            result = self.finish(self.start_supervisor(*options, program=["/no/such/program"]))
            self.assert_failed(result, '"/no/such/program"', status=STATUS)
            self.assertEqual(len(result.lines), 1)
            self.assert_nothing_left()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--become"]:
        become_supervisor(*sys.argv[2:])
    elif sys.argv[1:2] == ["--clean"]:
        clean(*sys.argv[2:])
    else:
        harness.main()
