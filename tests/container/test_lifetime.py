#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long the lease on a runtime lasts: until the last process has gone, whoever is killed."""

import contextlib
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import struct
import time

import harness

MODES = ([], ["--unshare-pid"])
KILLED = 128 + signal.SIGKILL


def has_ended(pidfds):
    """Whether all of the processes have."""
    poll = select.poll()
    for fd in pidfds:
        poll.register(fd, select.POLLIN)
    return len(poll.poll(0)) == len(pidfds)


def is_gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists()


def get_state(pid):
    return dict(harness.list_processes()).get(pid, ["gone"])[0]


def would_be_granted(ref, command):
    """Takes no lock, and so is in nobody's way."""
    fd = os.open(ref, os.O_RDONLY | os.O_CLOEXEC)
    try:
        answer = fcntl.fcntl(fd, command, harness.pack_lock(fcntl.F_WRLCK))
        return struct.unpack("@hhqqi0q", answer)[0] == fcntl.F_UNLCK
    finally:
        os.close(fd)


class Launch:
    """A launch whose program has left a process in the background that keeps nothing, or only the
    lock's fd; the program itself waits for the end of its input, or has ended."""

    def __init__(self, case, *options, ref=None, kept="nothing", ms=100_000, ended=False):
        self.ref = ref or case.ref
        self.read_end, write_end = os.pipe()
        case.addCleanup(os.close, self.read_end)
        wait = [] if ended else ["--wait"]
        self.process = case.start(
            f"--runtime={self.ref.parent}", f"--status-fd={write_end}", *options, "--", "probe",
            *wait, "background", kept, str(ms), "5", pass_fds=[write_end])
        os.close(write_end)
        self.events = open(self.read_end, "rb", closefd=False)
        case.addCleanup(self.events.close)
        if ended:
            self.wait_for_event("exited")
        else:
            case.read_until(self.process, b"ready\n")
        self.outside, self.inside = harness.find_supervisors(self.process.pid)
        self.background = harness.wait_until(self.find_background)
        self.program = None
        if not ended:
            [self.program] = set(harness.list_descendants(self.inside)) - {self.background}

    def wait_for_event(self, name):
        for line in self.events:
            if json.loads(line)["event"] == name:
                return
        raise AssertionError(f"there was no {name}")

    def find_background(self):
        """It leads its session, and has let go of standard input."""
        for pid in harness.list_descendants(self.inside):
            with contextlib.suppress(OSError):
                if os.getsid(pid) == pid and not os.path.lexists(f"/proc/{pid}/fd/0"):
                    return pid
        return None


class LifetimeCase(harness.LockCase):
    timeout = 30

    def assert_over(self, launch, status):
        """The launcher has returned, and the lock is free by then."""
        self.assertEqual(launch.process.wait(), status)
        self.assert_free(launch.ref)
        self.assertEqual(launch.process.stderr.read(), b"")
        self.assert_nothing_left()

    def assert_orphans_end(self):
        """What has lost its parents comes to this process."""
        self.wait_for_children()
        self.assert_free()

    def kill_outside(self, launch):
        """It is a child of this process."""
        os.kill(launch.outside, signal.SIGKILL)
        self.assertEqual(launch.process.wait(), -signal.SIGKILL)


class BackgroundTest(LifetimeCase):
    """A program that forks into the background twice, calls setsid, and closes every fd."""

    def watch_from_another_process(self, ref, pidfds):
        """Asks for both kinds of locks until one would be granted; returns a pipe in which is then
        written whether the processes had ended, and whether it was refused before."""
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        if os.fork() == 0:
            refused = 0
            while not (would_be_granted(ref, fcntl.F_OFD_GETLK)
                       or would_be_granted(ref, fcntl.F_GETLK)):
                refused += 1
            os.write(write_end, b"%d %d" % (has_ended(pidfds), refused > 100))
            os._exit(0)
        os.close(write_end)
        return read_end

    def watch(self, launches):
        """Tries to get the locks until the launchers have returned."""
        pidfds = {launch: [os.pidfd_open(launch.background)] for launch in launches}
        for [fd] in pidfds.values():
            self.addCleanup(os.close, fd)
        others = [self.watch_from_another_process(launch.ref, pidfds[launch])
                  for launch in launches]
        refused = dict.fromkeys(launches, 0)
        running = list(launches)
        while running:
            for launch in running:
                for command in (fcntl.F_OFD_SETLK, fcntl.F_SETLK):
                    if not harness.try_lock(launch.ref, fcntl.F_WRLCK, command):
                        refused[launch] += 1
                    elif not has_ended(pidfds[launch]):
                        self.fail("the lock is granted while a process lives")
            for launch in running:
                if launch.process.poll() is not None:
                    self.assert_free(launch.ref)
            running = [launch for launch in running if launch.process.returncode is None]
        for fd in others:
            self.assertEqual(os.read(fd, 10), b"1 1")
        self.assertGreater(min(refused.values()), 100)

    def test_two_seconds(self):
        refs = [self.ref, self.make_runtime("other/files") / ".ref"]
        started = time.monotonic()
        launches = [Launch(self, *options, ref=ref, ms=2000, ended=True)
                    for ref, options in zip(refs, MODES)]
        self.watch(launches)
        self.assertGreaterEqual(time.monotonic() - started, 2)
        for launch in launches:
            self.assertEqual(launch.process.wait(), 5)
            self.assertEqual(launch.process.stderr.read(), b"")
        self.wait_for_children()
        self.assert_nothing_left()

    @harness.in_each_mode
    def test_orphan(self, options):
        """One that keeps standard input."""
        process = self.start("--runtime=scout", *options, "--", "probe", "orphan")
        self.read_until(process, b"ready\n")
        self.assert_held()
        self.assertIsNone(process.poll())
        result = self.finish(process)
        self.assertEqual((result.status, result.err), (5, ""))
        self.assert_free()

    @harness.in_each_mode
    def test_own_descriptors(self, options):
        """What a program does with the fd of the lock is nothing to the others.  Without OFD locks,
        no lock comes with the fd."""
        for word in ("unlock", "close", "convert"):
            with self.subTest(word):
                other = self.start_waiting("--runtime=scout", *options)
                process = self.start("--runtime=scout", *options, "--", "probe", "--wait", word)
                answer = self.read_until(process, b"ready\n")
                # EBADF: it can only be read.
                self.assertEqual(answer, b"9\n9\n0\n" if word == "convert" else b"")
                self.assert_still_held()
                self.assert_works(self.finish(other))
                self.assert_still_held()
                self.assert_works(self.finish(process))
                self.assert_free()


class KillTest(LifetimeCase):
    """SIGKILL to one or more of those that hold the lease."""

    with_ofd = True

    @harness.in_each_mode
    def test_only_supervisors(self, options):
        """Bubblewrap goes when the program runs: there is nothing to kill."""
        launch = Launch(self, *options)
        harness.wait_until(lambda: len(harness.list_descendants(launch.outside, True)) == 3)
        parents = {pid: int(fields[1]) for pid, fields in harness.list_processes()}
        self.assertEqual(parents[launch.inside], launch.outside)
        self.assertEqual(parents[launch.program], launch.inside)
        self.assertEqual(parents[launch.background], launch.inside)
        harness.kill(launch.background)
        launch.process.stdin.close()
        self.assert_over(launch, 5)

    @harness.in_each_mode
    def test_program(self, options):
        launch = Launch(self, *options)
        harness.kill(launch.program)
        self.assert_still_held()
        self.assertIsNone(launch.process.poll())
        harness.kill(launch.background)
        self.assert_over(launch, KILLED)

    @harness.in_each_mode
    def test_inside(self, options):
        launch = Launch(self, *options)
        harness.kill(launch.inside)
        if options:
            self.assert_over(launch, KILLED)
            return
        self.assert_still_held()
        launch.process.stdin.close()
        harness.wait_until(lambda: is_gone(launch.program))
        self.assert_still_held()
        self.assertIsNone(launch.process.poll())
        harness.kill(launch.background)
        self.assert_over(launch, 5)

    @harness.in_each_mode
    def test_inside_after_the_program(self, options):
        launch = Launch(self, *options, ended=True)
        harness.kill(launch.inside)
        if not options:
            self.assert_still_held()
            self.assertIsNone(launch.process.poll())
            harness.kill(launch.background)
        self.assert_over(launch, 5)

    @harness.in_each_mode
    def test_inside_and_program(self, options):
        launch = Launch(self, *options)
        os.kill(launch.inside, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(launch.program, signal.SIGKILL)
        if not options:
            self.assert_still_held()
            harness.kill(launch.background)
        self.assert_over(launch, KILLED)

    @harness.in_each_mode
    def test_outside(self, options):
        launch = Launch(self, *options)
        self.kill_outside(launch)
        self.assert_still_held()
        launch.process.stdin.close()
        harness.wait_until(lambda: is_gone(launch.program))
        self.assert_still_held()
        harness.kill(launch.background)
        self.assert_orphans_end()

    @harness.in_each_mode
    def test_outside_after_the_program(self, options):
        launch = Launch(self, *options, ended=True)
        self.kill_outside(launch)
        self.assert_still_held()
        harness.kill(launch.background)
        self.assert_orphans_end()

    def kill_both(self, launch, inside_first):
        if inside_first:
            # The launcher is not to return by itself.
            os.kill(launch.outside, signal.SIGSTOP)
            harness.kill(launch.inside)
        self.kill_outside(launch)
        if not inside_first:
            harness.kill(launch.inside)

    @harness.in_each_mode
    def test_both(self, options):
        """The container ends with the first process of its PID namespace; without one, the program
        and the process in the background hold the lock."""
        for inside_first in (False, True):
            with self.subTest(inside_first=inside_first):
                launch = Launch(self, *options, kept="lease")
                self.kill_both(launch, inside_first)
                if not options:
                    self.assert_both_hold(launch)
                self.assert_orphans_end()

    def assert_both_hold(self, launch):
        # The fallback's locks are the supervisors' own: no fd has any of them.
        if not self.with_ofd:
            self.assert_free()
        else:
            self.assert_still_held()
        launch.process.stdin.close()
        harness.wait_until(lambda: get_state(launch.program) in ("Z", "gone"))
        if self.with_ofd:
            self.assert_still_held()
        harness.kill(launch.background)

    def test_both_and_nothing_kept(self):
        """Without a PID namespace: what has closed the fd holds nothing, as the manual says."""
        for inside_first in (False, True):
            launch = Launch(self, ended=True)
            self.kill_both(launch, inside_first)
            self.assert_free()
            self.assertFalse(is_gone(launch.background))
            harness.kill(launch.background)
            self.assert_orphans_end()


class StartTest(LifetimeCase):
    """SIGKILL while bubblewrap makes the container."""

    with_ofd = True

    def make_bwrap(self):
        shim = pathlib.Path(harness.PROBE).parent / "stop-bwrap.so"
        path = self.work / "bwrap"
        real = self.environment.get("PV_LAUNCH_BWRAP") or shutil.which("bwrap")
        path.write_text(f"#!/bin/sh\nLD_PRELOAD='{shim}' exec '{real}' \"$@\"\n")
        path.chmod(0o755)
        return str(path)

    def find_bwraps(self, process):
        """The monitor, and the process that is to become the supervisor inside."""
        monitor, *child = harness.list_descendants(process.pid)
        self.assertEqual(len(child), 1)
        self.assertEqual(pathlib.Path(f"/proc/{monitor}/comm").read_text(), "bwrap\n")
        return monitor, child[0]

    def assert_ended(self, process):
        result = self.finish(process)
        self.assert_failed(result, "Cannot start the container", "signal 9")
        self.assert_free()
        self.assert_nothing_left()

    @harness.in_each_mode
    def test_while_its_child_waits(self, options):
        for which in (0, 1):
            with self.subTest(which):
                pipe = self.work / "pipe"
                os.mkfifo(pipe)
                process = self.start("--runtime=scout", *options, "--", "probe", environment={
                    "PV_LAUNCH_BWRAP": self.make_bwrap(), "PV_TEST_STOPPED": str(pipe)})
                self.assertEqual(pipe.read_text(), "stopped\n")
                pipe.unlink()
                self.assert_still_held()
                bwraps = self.find_bwraps(process)
                harness.kill(bwraps[which])
                # The monitor is stopped by the test, and does not see the end of its child.
                if which == 1:
                    harness.kill(bwraps[0])
                self.assert_ended(process)

    @contextlib.contextmanager
    def stop_before_the_supervisor(self, *options):
        pipes = self.work / "pipes"
        pipes.mkdir()
        for name in ("says", "goes-on"):
            os.mkfifo(pipes / name)
        process = self.start(
            "--runtime=scout", *options, "--", "probe", "--wait",
            environment={"PV_LAUNCH_BWRAP": self.make_bwrap(), "PV_TEST_BEFORE_EXEC": str(pipes)})
        with open(pipes / "says", "rb") as says, open(pipes / "goes-on", "wb") as go_on:
            self.assertEqual(says.readline(), b"stopped\n")
            self.assert_still_held()
            yield process, go_on.close
        shutil.rmtree(pipes)

    @harness.in_each_mode
    def test_before_the_supervisor(self, options):
        """The monitor; what is to become the supervisor; both."""
        for which in ([0], [1], [0, 1]):
            with self.subTest(which):
                with self.stop_before_the_supervisor(*options) as (process, _):
                    bwraps = self.find_bwraps(process)
                    for index in which:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(bwraps[index], signal.SIGKILL)
                    self.assert_ended(process)

    @harness.in_each_mode
    def test_with_the_launcher(self, options):
        """The monitor and pv-launch: the program starts, with the supervisor inside."""
        with self.stop_before_the_supervisor(*options) as (process, go_on):
            monitor, _ = self.find_bwraps(process)
            process.kill()
            harness.kill(monitor)
            process.wait()
            # The fallback's lock is gone until the supervisor inside takes its own.
            if self.with_ofd:
                self.assert_still_held()
            go_on()
            self.read_until(process, b"ready\n")
        self.assert_still_held()
        process.stdin.close()
        self.assert_orphans_end()
        self.assertEqual(process.stderr.read(), b"")


class BackgroundWithoutOfdTest(harness.WithoutOfd, BackgroundTest):
    pass


class KillWithoutOfdTest(harness.WithoutOfd, KillTest):
    with_ofd = False


class StartWithoutOfdTest(harness.WithoutOfd, StartTest):
    with_ofd = False


if __name__ == "__main__":
    harness.main()
