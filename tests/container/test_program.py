#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What reaches the program: arguments, file descriptors, privileges; and programs that lack what
they need."""

import os
import pathlib
import shutil
import signal
import subprocess

import harness


class ArgumentsTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def assert_arrive(self, arguments, program=b"probe", separator=("--",)):
        result = self.run_launch("--runtime=scout", *separator, program, b"args", *arguments)
        self.assert_works(result)
        self.assertEqual(result.out, b"".join(word + b"\0" for word in arguments))

    def test_odd(self):
        self.assert_arrive([b"--bind", b"--", b"-", b"", b"a\nb\n", b"\xff\xfe", b" a  b ",
                            b"--args", b"3", b"--runtime=none", b"$HOME", b"`id`", b"*", b"'\"\\"])

    def test_none(self):
        self.assert_arrive([])

    def test_without_separator(self):
        self.assert_arrive([b"--", b"--verbose", b"--help"], separator=())

    def test_long(self):
        self.assert_arrive([b"x" * 100_000, b"y" * 100_000, b"", b"z" * 100_000])

    def test_many(self):
        self.assert_arrive([b"%d" % number for number in range(20_000)])
        self.assert_arrive([b""] * 20_000)

    def test_around_the_limit_of_plain_arguments(self):
        for count in (997, 998, 999, 1000, 1001):
            self.assert_arrive([b"a"] * count)
        for length in (65_000, 65_520, 65_536, 66_000):
            self.assert_arrive([b"a" * length])

    def test_program_names(self):
        for name in (b"--bind", b"--", b"-", b"--args", b"a b", b"a\nb", b"\xff", b"--inside=3"):
            target = os.fsencode(self.files / "bin") + b"/" + name
            os.link(self.files / "bin/probe", target)
            self.assert_arrive([b"a", b"--", b"b"], program=name)
            self.assert_arrive([b"a"], program=b"/usr/bin/" + name)

    def test_environment_is_large(self):
        variables = {f"VARIABLE_{number}": "x" * 1000 for number in range(1000)}
        result = self.run_launch("--runtime=scout", "--", "probe", "cat", "/proc/self/environ",
                                 environment=variables)
        self.assert_works(result)
        words = result.out.split(b"\0")
        for name, value in variables.items():
            self.assertIn(f"{name}={value}".encode(), words)


class DescriptorsTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def list_fds(self, *arguments, **others):
        result = self.run_launch("--runtime=scout", *arguments, "--", "probe", "fds", **others)
        self.assert_works(result)
        found = {}
        for line in result.text.splitlines():
            number, inode, target = line.split(" ", 2)
            found[int(number)] = (inode, target)
        return found

    def open_many(self):
        fds = []
        for number in range(200):
            fds.append(os.open(self.folder if number % 2 else "/dev/null", os.O_RDONLY))
            os.set_inheritable(fds[-1], True)
            self.addCleanup(os.close, fds[-1])
        return fds

    def get_inode(self, path):
        info = os.stat(path)
        return f"{info.st_dev}:{info.st_ino}"

    def assert_only_allowed(self, found, passed):
        """The standard ones, those that were asked for, and one lease."""
        self.assertEqual(set(found) & {0, 1, 2}, {0, 1, 2})
        for fd in passed:
            info = os.fstat(fd)
            self.assertEqual(found[fd][0], f"{info.st_dev}:{info.st_ino}")
        others = [found[fd][0] for fd in found if fd > 2 and fd not in passed]
        self.assertEqual(others, [self.get_inode(self.files / ".ref")], found)

    def test_only_the_allowed(self):
        fds = self.open_many()
        for arguments in ([], ["--unshare-pid"], ["--unshare-net", "--unshare-home"]):
            with self.subTest(arguments):
                self.assert_only_allowed(self.list_fds(*arguments, close_fds=False), [])
                passed = [fds[0], fds[17], fds[199]]
                options = [f"--pass-fd={fd}" for fd in passed]
                self.assert_only_allowed(
                    self.list_fds(*arguments, *options, close_fds=False), passed)

    def test_low_numbers(self):
        """The numbers that pv-launch itself would use otherwise."""
        for number in (3, 4, 5, 6, 7, 8, 9, 10):
            process = self.start(
                "-c", f'exec "$@" {number}</dev/zero', "sh", harness.PV_LAUNCH, "--runtime=scout",
                f"--pass-fd={number}", "--", "probe", "fds", command=["bash"])
            result = self.finish(process)
            self.assert_works(result)
            self.assertIn(f"{number} {self.get_inode('/dev/zero')} /dev/zero",
                          result.text.splitlines())
            self.assertEqual(len(result.text.splitlines()), 5, result.text)

    def test_standard_ones_may_be_passed(self):
        self.assertEqual(len(self.list_fds("--pass-fd=0", "--pass-fd=1", "--pass-fd=2")), 4)

    def test_pipe_is_closed_by_the_supervisors(self):
        """Who waits for the end of a pipe that the program closes must not wait for them."""
        receiving, sending = os.pipe()
        process = self.start("--runtime=scout", f"--pass-fd={sending}", "--", "probe", "orphan",
                             pass_fds=[sending])
        os.close(sending)
        self.assertEqual(os.read(receiving, 1), b"")
        os.close(receiving)
        self.read_until(process, b"ready\n")
        self.assertEqual(self.finish(process).status, 5)

    def test_closed_at_the_start(self):
        """What is closed must not become something else by accident."""
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            script = f'exec "$@" {closed}'
            process = self.start("-c", script, "sh", harness.PV_LAUNCH, "--runtime=scout", "--",
                                 "probe", "exit", "3", command=["sh"])
            self.assertEqual(self.finish(process).status, 3)
        process = self.start(
            "-c", 'exec "$@" <&- >&-', "sh", harness.PV_LAUNCH,
            f"--runtime={self.get_runtime('minimal')}", "--", "sh", "-c",
            "for fd in 0 1; do to=$(readlink /proc/$$/fd/$fd); echo $to >&2; done", command=["sh"])
        result = self.finish(process)
        self.assertEqual((result.status, result.lines), (0, ["/dev/null", "/dev/null"]))


class PrivilegesTest(harness.LockCase):
    def assert_none(self, text):
        """@text: as in /proc/PID/status."""
        status = dict(line.split(":\t", 1) for line in text.splitlines())
        # Bubblewrap leaves uid 0 its bounding set; with no_new_privs nothing can come of it.
        bounding = [] if os.geteuid() == 0 else ["CapBnd"]
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb", *bounding]:
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Uid"].split(), [str(os.getuid())] * 4)
        self.assertEqual(status["Gid"].split(), [str(os.getgid())] * 4)

    def assert_program_has_none(self, *arguments, command=("cat", "/proc/self/status")):
        result = self.run_launch(*arguments, *command)
        self.assert_works(result)
        self.assert_none(result.text)

    def test_options(self):
        other = self.work / "other"
        other.mkdir()
        for arguments in ([], ["--unshare-pid"], ["--unshare-net"], ["--unshare-home"],
                          ["--share-home"], [f"--home={other}"],
                          ["--unshare-pid", "--unshare-net", "--unshare-home"]):
            with self.subTest(arguments):
                self.assert_program_has_none("--runtime=scout", *arguments, "--", "probe")
                self.assert_program_has_none(*arguments, "--")

    @harness.in_each_mode
    def test_runtimes(self, options):
        for name in ("debian11", "debian11-root", "minimal"):
            with self.subTest(name):
                self.assert_program_has_none(f"--runtime={self.get_runtime(name)}", *options, "--")

    @harness.in_each_mode
    def test_script(self, options):
        """Without #!, the supervisor starts the shell."""
        script = self.work / "script"
        script.write_text("cat /proc/self/status\n")
        script.chmod(0o755)
        self.assert_program_has_none(f"--runtime={self.get_runtime('minimal')}", *options, "--",
                                     command=["./script"])

    def assert_processes_have_none(self, pids):
        for pid in pids:
            self.assert_none(pathlib.Path(f"/proc/{pid}/status").read_text())

    @harness.in_each_mode
    def test_all_processes(self, options):
        """Also the supervisor inside, and what the program leaves when that one is killed."""
        process = self.start_waiting("--runtime=scout", *options,
                                     probe=["background", "nothing", "100000"])
        outside, inside = harness.find_supervisors(process.pid)
        children = harness.list_descendants(inside)
        self.assertEqual(len(children), 2)
        self.assert_processes_have_none([inside, *children])
        harness.kill(inside)
        if not options:
            self.assertEqual(sorted(harness.list_descendants(outside)), sorted(children))
            self.assert_processes_have_none(children)
            for pid in children:
                harness.kill(pid)
        self.assertEqual(process.wait(), 128 + signal.SIGKILL)
        self.assert_nothing_left()


class PrivilegesWithoutOfdTest(harness.WithoutOfd, PrivilegesTest):
    pass


class LackingTest(harness.Case):
    """A program whose loader or interpreter the runtime has not."""

    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def run_program(self, name):
        return self.run_launch("--runtime=scout", "--", name)

    def add_script(self, first_line, name="script"):
        path = self.files / "bin" / name
        path.write_text(f"{first_line}\n")
        path.chmod(0o755)
        return path

    def test_loader(self):
        shutil.copy("/bin/true", self.files / "bin/dynamic")
        self.assert_failed(self.run_program("dynamic"), '"dynamic"', "ld-linux", status=127)

    def test_interpreter(self):
        self.add_script("#!/usr/bin/no-such-interpreter -x")
        self.assert_failed(self.run_program("script"), '"script"',
                           '"/usr/bin/no-such-interpreter"', status=127)

    def test_loader_of_the_interpreter(self):
        self.add_script("#! /usr/bin/dynamic")
        shutil.copy("/bin/true", self.files / "bin/dynamic")
        self.assert_failed(self.run_program("script"), '"script"', "ld-linux", status=127)

    def test_empty_element_of_path(self):
        """It means the current folder, as for execvp(3)."""
        shutil.copy(harness.PROBE, self.work / "here")
        result = self.run_launch("--runtime=scout", "--setenv=PATH=:/bin", "--", "here", "exit", "5")
        self.assertEqual(result.status, 5, result.err)

    def test_shell(self):
        """A text without #! is for /bin/sh, which is not there."""
        self.add_script("exit 3")
        result = self.run_program("script")
        self.assert_failed(result, '"script"', status=result.status)
        self.assertIn(result.status, (126, 127))

    def test_interpreter_is_there(self):
        path = self.add_script("#!/usr/bin/probe args")
        result = self.run_program(path.name)
        self.assertEqual((result.status, result.out), (0, b"/usr/bin/script\0"))

    def test_names_cannot_forge_lines(self):
        result = self.run_program("a\nb\x1b[31m")
        self.assert_failed(result, "a", status=127)
        self.assertEqual(len(result.lines), 1)
        self.assertNotIn("\x1b", result.err)

    def test_static(self):
        """Neither a shell nor a C library is needed: the runtime of most tests here has none."""
        self.assertEqual(sorted(os.listdir(self.files)), [".ref", "bin", "marker"])
        self.assertEqual(os.listdir(self.files / "bin"), ["probe"])
        header = subprocess.run(["readelf", "-l", self.files / "bin/probe"], capture_output=True,
                                text=True, check=True)
        self.assertNotIn("INTERP", header.stdout)
        self.assert_works(self.run_launch("--runtime=scout", "--", "probe", "args"))


class NamespaceTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def list_processes(self, *arguments):
        files = self.get_runtime("minimal")
        result = self.run_launch(f"--runtime={files}", *arguments, "--", "sh", "-c",
                                 "cd /proc && echo [0-9]*")
        self.assert_works(result)
        return [int(word) for word in result.text.split()]

    def test_pid_shared(self):
        self.assertIn(os.getpid(), self.list_processes())

    def test_pid_unshared(self):
        pids = self.list_processes("--unshare-pid")
        self.assertIn(1, pids)
        self.assertEqual(len(pids), 2, pids)

    def test_pid_unshared_status(self):
        for status in (0, 3, 127):
            result = self.run_launch("--runtime=scout", "--unshare-pid", "--", "probe", "exit",
                                     str(status))
            self.assertEqual((result.status, result.err), (status, ""))
        result = self.run_launch("--runtime=scout", "--unshare-pid", "--", "probe", "signal", "9")
        self.assertEqual((result.status, result.err), (137, ""))
        self.assert_failed(self.run_launch("--runtime=scout", "--unshare-pid", "--", "none"),
                           '"none"', status=127)

    def test_pid_unshared_by_variable(self):
        own = "{0.st_dev}:{0.st_ino}\n".format(os.stat("/proc/self/ns/pid"))
        for name, value, option, is_shared in (
                ("UNSHARE", "1", [], False), ("UNSHARE", "0", [], True), ("SHARE", "0", [], False),
                ("UNSHARE", "1", ["--share-pid"], True), ("SHARE", "1", ["--unshare-pid"], False)):
            with self.subTest((name, value, option)):
                result = self.run_launch("--runtime=scout", *option, "--", "probe", "stat",
                                         "/proc/self/ns/pid",
                                         environment={f"PV_LAUNCH_{name}_PID": value})
                self.assert_works(result)
                self.assertEqual(result.text == own, is_shared)

    def list_interfaces(self, *arguments):
        result = self.run_launch("--runtime=scout", *arguments, "--", "probe", "cat",
                                 "/proc/net/dev")
        self.assert_works(result)
        return [line.split(":")[0].strip() for line in result.text.splitlines()[2:]]

    def test_network(self):
        host = pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]
        self.assertEqual(self.list_interfaces(), [line.split(":")[0].strip() for line in host])
        self.assertEqual(self.list_interfaces("--unshare-net"), ["lo"])


class LoaderVariablesTest(harness.Case):
    """What the loader obeys is for the program, not for bubblewrap and the supervisors."""

    def test_preload(self):
        self.make_runtime()
        recorded = self.work / "recorded"
        bwrap = self.work / "bwrap"
        real = self.environment.get("PV_LAUNCH_BWRAP") or shutil.which("bwrap")
        bwrap.write_text(f"#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >'{recorded}'\n"
                         f"exec '{real}' \"$@\"\n")
        bwrap.chmod(0o755)
        process = self.start_waiting(
            "--runtime=scout", "--setenv=LD_PRELOAD=/none.so", "--setenv=LD_AUDIT=/none.so",
            "--", "probe", probe=["cat", "/proc/self/environ"],
            environment={"PV_LAUNCH_BWRAP": str(bwrap)})
        outside, inside = harness.find_supervisors(process.pid)
        supervisors = pathlib.Path(f"/proc/{outside}/environ").read_bytes()
        self.assertNotIn(b"none.so", supervisors)
        self.assertTrue(harness.list_descendants(inside))
        program = harness.list_descendants(inside)[0]
        self.assertIn(b"LD_PRELOAD=/none.so\0",
                      pathlib.Path(f"/proc/{program}/environ").read_bytes() + b"\0")
        self.assert_works(self.finish(process))
        self.assertNotIn("none.so", recorded.read_text())
        self.assertIn("HOME=", recorded.read_text())


if __name__ == "__main__":
    harness.main()
