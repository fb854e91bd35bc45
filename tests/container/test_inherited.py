#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program inherits from its caller is what it would have inherited without the launcher."""

import os
import resource
import signal

import harness
from signal_case import WAYS

# SIGKILL and SIGSTOP cannot be blocked; the C library keeps 32 and 33.
ALL_SIGNALS = set(range(1, 65)) - {9, 19, 32, 33}

CAUGHT_BY_SANITIZERS = {signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV}


class InheritedTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.make_runtime()

    def read_both(self, path, preexec, options=()):
        """What a program finds in @path that is started directly, and one in a container."""
        direct = self.finish(self.start("cat", path, command=[harness.PROBE], preexec_fn=preexec))
        self.assert_works(direct)
        inside = self.run_launch("--runtime=scout", *options, "--", "probe", "cat", path,
                                 preexec_fn=preexec)
        self.assert_works(inside)
        return direct.text, inside.text

    def read_fields(self, preexec, options, *names):
        """The same, of /proc/self/status."""
        found = []
        for text in self.read_both("/proc/self/status", preexec, options):
            fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
            found.append({name: fields[name] for name in names})
        return found

    def assert_same(self, preexec, *names):
        for options in WAYS:
            direct, inside = self.read_fields(preexec, options, *names)
            self.assertEqual(inside, direct)
        return direct

    def test_nothing(self):
        fields = self.assert_same(None, "SigBlk", "SigIgn", "SigCgt", "Umask")
        self.assertEqual(int(fields["SigBlk"], 16), 0)

    def test_blocked(self):
        for blocked in ({signal.SIGTERM}, {signal.SIGCHLD}, {signal.SIGCONT}, {signal.SIGHUP},
                        {signal.SIGINT, signal.SIGUSR1}, {signal.SIGPIPE, signal.SIGALRM},
                        {signal.SIGTSTP}, {34, 64}, ALL_SIGNALS):
            with self.subTest(blocked):
                def block(blocked=blocked):
                    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

                fields = self.assert_same(block, "SigBlk", "SigIgn", "SigCgt")
                self.assertEqual(int(fields["SigBlk"], 16), sum(1 << (n - 1) for n in blocked))

    def test_ignored(self):
        for ignored in ({signal.SIGHUP}, {signal.SIGPIPE}, {signal.SIGINT, signal.SIGQUIT},
                        {signal.SIGTERM}, {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU},
                        {signal.SIGUSR1, 64}, {signal.SIGCONT, signal.SIGWINCH},
                        ALL_SIGNALS - {signal.SIGCHLD} - CAUGHT_BY_SANITIZERS):
            with self.subTest(ignored):
                def ignore(ignored=ignored):
                    for number in ignored:
                        signal.signal(number, signal.SIG_IGN)

                fields = self.assert_same(ignore, "SigBlk", "SigIgn", "SigCgt")
                found = int(fields["SigIgn"], 16)
                self.assertEqual([n for n in ignored if not found >> (n - 1) & 1], [])

    def test_ended_children(self):
        """Where SIGCHLD is ignored nobody could be waited for: it is not."""
        for options in WAYS:
            direct, inside = self.read_fields(
                lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN), options, "SigIgn", "SigBlk")
            bit = 1 << (signal.SIGCHLD - 1)
            self.assertTrue(int(direct["SigIgn"], 16) & bit)
            self.assertEqual(int(inside["SigIgn"], 16), int(direct["SigIgn"], 16) & ~bit)
            self.assertEqual(inside["SigBlk"], direct["SigBlk"])

    def test_ignored_ends_nothing(self):
        """What the program ignores does not end the launcher either."""
        for options in WAYS:
            process = self.start_waiting(
                "--runtime=scout", *options,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
            process.send_signal(signal.SIGHUP)
            self.assert_works(self.finish(process))

    def test_umask(self):
        for mask in (0, 0o027, 0o077, 0o777):
            fields = self.assert_same(lambda mask=mask: os.umask(mask), "Umask")
            self.assertEqual(int(fields["Umask"], 8), mask)

    def test_open_files(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for limits in ((77, hard), (77, 77), (1024, hard), (1024, 4096), (4096, 4096), (hard, hard)):
            with self.subTest(limits):
                def limit(limits=limits):
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)

                for options in WAYS:
                    direct, inside = self.read_both("/proc/self/limits", limit, options)
                    self.assertEqual(inside, direct)
                    self.assertIn(f"{limits[0]} ", inside)

    def test_other_limits(self):
        def limit():
            for kind in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK):
                resource.setrlimit(kind, (0, 0))
            resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 16 << 20))
            resource.setrlimit(resource.RLIMIT_CPU, (1000, 2000))

        for options in WAYS:
            direct, inside = self.read_both("/proc/self/limits", limit, options)
            self.assertEqual(inside, direct)

    def test_priority(self):
        for options in WAYS:
            direct, inside = self.read_both("/proc/self/stat", lambda: os.nice(5), options)
            found = [text.rpartition(")")[2].split()[16] for text in (direct, inside)]
            self.assertEqual(found, [str(os.nice(0) + 5)] * 2)

    def test_killed_first(self):
        """/proc/self/oom_score_adj."""
        def adjust():
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("678")

        for options in WAYS:
            self.assertEqual(self.read_both("/proc/self/oom_score_adj", adjust, options),
                             ("678\n", "678\n"))

    def test_session_and_group(self):
        """The launcher's own: job control is that of the caller."""
        for change in (None, os.setsid, lambda: os.setpgid(0, 0)):
            process = self.start("--runtime=scout", "--", "probe", "--wait", "cat",
                                 "/proc/self/stat", preexec_fn=change)
            text = self.read_until(process, b"ready\n").decode()
            expected = [str(os.getpgid(process.pid)), str(os.getsid(process.pid))]
            self.assertEqual(text.rpartition(")")[2].split()[2:4], expected)
            self.assert_works(self.finish(process))

    def test_standard_input(self):
        """The very pipe, with all that is in it, and what the program does not read stays."""
        for options in WAYS:
            receiving, sending = os.pipe()
            info = os.fstat(receiving)
            data = os.urandom(60_000)
            os.write(sending, data)
            os.close(sending)
            result = self.run_launch("--runtime=scout", *options, "--", "probe", "fds",
                                     stdin=receiving)
            self.assert_works(result)
            self.assertIn(f"0 {info.st_dev}:{info.st_ino} ", result.text)
            result = self.run_launch("--runtime=scout", *options, "--", "probe", "cat",
                                     "/proc/self/fd/0", stdin=receiving)
            self.assert_works(result)
            self.assertEqual(result.out, data)
            os.close(receiving)


if __name__ == "__main__":
    harness.main()
