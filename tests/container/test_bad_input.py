#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: one line that names the object, status 125, and nothing on disk has changed."""

import ctypes
import os
import pathlib
import platform
import shutil
import signal
import struct

import harness

CLONE_NEWUSER = 0x10000000
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000

# unshare, clone, clone3
SYSTEM_CALLS = {"x86_64": (272, 56, 435), "aarch64": (97, 220, 435)}

SKIP_MACHINE = "the numbers of this machine's system calls are not known here"


class BadInputCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime(ref=False)
        self.ref = self.files / ".ref"
        self.foreign = self.work / "foreign"
        (self.foreign / "bin").mkdir(parents=True)
        (self.foreign / "lib").mkdir()
        name = "ld-linux-armhf.so.3" if platform.machine() == "s390x" else "ld64.so.1"
        (self.foreign / "lib" / name).touch()
        (self.work / "file").write_text("x")
        (self.work / "empty").mkdir()

    def list_disk(self):
        """All that could have changed."""
        found = {}
        for folder, folders, names in os.walk(self.folder):
            for name in folders + names:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                found[path] = (info.st_ino, info.st_size, info.st_mode, info.st_mtime_ns)
        return found

    def assert_refused(self, arguments, *words, **others):
        before = self.list_disk()
        result = self.run_launch(*arguments, **others)
        self.assert_failed(result, *words)
        self.assertEqual(self.list_disk(), before)
        return result


class RuntimeTest(BadInputCase):
    def check(self, name, *words):
        for arguments in ([f"--runtime={name}"], [f"--runtime={self.work}/{name}"],
                          [f"--runtime-base={self.work}", f"--runtime={name}"]):
            with self.subTest(arguments):
                self.assert_refused([*arguments, "--", "probe"], f'{name}"', *words)

    def test_none(self):
        self.check("no-such-runtime")

    def test_another_machine(self):
        self.check("foreign", platform.machine())

    def test_file(self):
        self.check("file", "folder")

    def test_empty(self):
        self.check("empty")

    def test_link_that_leads_nowhere(self):
        (self.work / "link").symlink_to("nowhere")
        self.check("link")

    def test_loop(self):
        (self.work / "loop").symlink_to("loop")
        self.check("loop")

    def test_files_that_leads_nowhere(self):
        """The folder around it is not taken instead."""
        for name, target in (("dangling", "nowhere"), ("round", "files")):
            (self.work / name / "bin").mkdir(parents=True)
            (self.work / name / "files").symlink_to(target)
            self.check(name)

    def test_files_that_cannot_be_entered(self):
        if os.geteuid() == 0 and not harness.is_root():
            self.skipTest("as uid 0 of a user namespace every file of one's own can be read")
        for folder in (self.work, self.folder / "home"):
            folder.chmod(0o777)
        (self.work / "around/bin").mkdir(parents=True)
        (self.work / "around").chmod(0o777)
        (self.work / "around/files").symlink_to("../secret/files")
        (self.work / "secret/files/bin").mkdir(parents=True)
        (self.work / "secret").chmod(0)
        for name in ("around", f"{self.work}/around"):
            command = harness.as_ordinary_user([harness.PV_LAUNCH])
            before = self.list_disk()
            result = self.run_launch(f"--runtime={name}", "--", "probe", command=command)
            self.assert_failed(result, f'"{name}"', "Permission denied")
            self.assertEqual(self.list_disk(), before)

    def test_unreadable(self):
        (self.work / "secret").mkdir(0)
        if os.geteuid() == 0:
            self.check("secret")
        else:
            self.assert_refused(["--runtime=secret", "--", "probe"], '"secret"')

    def test_odd_lock_files(self):
        """A lock file that is none, but stops those who open it."""
        for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path),
                     lambda path: os.symlink("../../file", path)):
            make(self.ref)
            self.assert_refused(["--runtime=scout", "--", "probe"], f'"{self.ref}"')
            if self.ref.is_dir() and not self.ref.is_symlink():
                self.ref.rmdir()
            else:
                self.ref.unlink()
        self.runtimes.clear()


class OptionTest(BadInputCase):
    def test_command_line(self):
        outside = os.path.realpath("/usr")
        rows = (
            (["--no-such-option"], '"--no-such-option"'),
            (["--filesystem=relative"], "--filesystem=relative"),
            (["--filesystem="], "--filesystem="),
            (["--filesystem=/no/such/path"], "--filesystem=/no/such/path"),
            (["--filesystem=/usr"], '"/usr"', "reserved"),
            (["--filesystem=/"], '"/"', "reserved"),
            (["--filesystem=/etc/passwd:ro"], '"/etc/passwd"', "reserved"),
            (["--filesystem=/dev"], '"/dev"', "reserved"),
            (["--filesystem=/proc/self"], "/proc", "reserved"),
            ([f"--filesystem={self.work}/../../../../usr"], "reserved", f'"{outside}"'),
            (["--pass-fd=abc"], "--pass-fd=abc"),
            (["--pass-fd=-1"], "--pass-fd=-1"),
            (["--pass-fd="], "--pass-fd="),
            (["--pass-fd=99"], "--pass-fd=99"),
            (["--pass-fd=99999999999"], "--pass-fd=99999999999"),
            (["--lock-timeout=soon"], "--lock-timeout=soon"),
            (["--lock-timeout=-1"], "--lock-timeout=-1"),
            (["--lock-timeout=nan"], "--lock-timeout=nan"),
            (["--lock-timeout=0x10"], "--lock-timeout=0x10"),
            (["--lock-on-remote=perhaps"], "--lock-on-remote=perhaps"),
            (["--log-level=loud"], "--log-level=loud"),
            (["--home=relative"], "--home=relative"),
            (["--home=/no/such/home"], '"/no/such/home"'),
            (["--share-home", f"--home={self.work}"], "--home"),
            (["--setenv=NAME"], "--setenv=NAME"),
            (["--setenv==value"], "--setenv==value"),
            (["--unsetenv=NAME=value"], "--unsetenv=NAME=value"),
            (["--dry-run=poem"], "--dry-run=poem"),
            (["--unshare-pid=1"], "--unshare-pid"),
        )
        for arguments, *words in rows:
            with self.subTest(arguments):
                self.assert_refused(["--runtime=scout", *arguments, "--", "probe"], *words)

    def test_descriptors_of_the_launcher(self):
        """What the caller has not open is not open, whatever the launcher opens meanwhile."""
        for number in range(3, 13):
            options = [f"--filesystem={self.work}", f"--home={self.work}", f"--pass-fd={number}"]
            for arguments in (options, options[::-1]):
                self.assert_refused(["--runtime=scout", *arguments, "--", "probe"],
                                    f"--pass-fd={number}:", "open")

    def test_home_at_a_reserved_path(self):
        for home in ("/usr", "/", "/etc", "/usr/share"):
            for option in ("--unshare-home", f"--home={self.work}"):
                self.assert_refused(["--runtime=scout", option, "--", "probe"], f'"{home}"',
                                    "reserved", environment={"HOME": home})

    def test_without_a_value(self):
        for option in ("--runtime", "--filesystem", "--pass-fd"):
            self.assert_refused([option], f'"{option}"')

    def test_without_a_command(self):
        self.assert_refused(["--runtime=scout"], "COMMAND")
        self.assert_refused(["--runtime=scout", "--"], "COMMAND")

    def test_variables(self):
        for name, value in (("PV_LAUNCH_FILESYSTEM", "relative"), ("PV_LAUNCH_PASS_FD", "abc"),
                            ("PV_LAUNCH_SHARE_PID", "perhaps"),
                            ("PRESSURE_VESSEL_SHARE_HOME", "x")):
            with self.subTest(name):
                self.assert_refused(["--runtime=scout", "--", "probe"], f"{value} (from {name})",
                                    environment={name: value})

    def test_link_to_a_reserved_path(self):
        (self.work / "link").symlink_to("/usr/share")
        self.assert_refused(["--runtime=scout", f"--filesystem={self.work}/link", "--", "probe"],
                            "reserved")


class BwrapTest(BadInputCase):
    """Bubblewrap is not there or does not work."""

    def test_none(self):
        self.environment.pop("PV_LAUNCH_BWRAP", None)
        self.assert_refused(["--runtime=scout", "--", "probe"], "bwrap",
                            environment={"PATH": str(self.work / "empty")})

    def test_not_there(self):
        for name in ("PV_LAUNCH_BWRAP", "PRESSURE_VESSEL_BWRAP", "BWRAP"):
            self.environment.pop("PV_LAUNCH_BWRAP", None)
            self.assert_refused(["--runtime=scout", "--", "probe"], '"/no/such/bwrap"', name,
                                environment={name: "/no/such/bwrap"})

    def make_bwrap(self, script):
        path = self.work / "bwrap"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"PV_LAUNCH_BWRAP": str(path)}

    def test_fails(self):
        self.ref.touch()
        for script, word in (("exit 1", "without a word"), ("exit 0", "without a word"),
                             ("echo 'bwrap: Odd thing' >&2; exit 1", "Odd thing")):
            with self.subTest(script):
                environment = self.make_bwrap(script)
                self.assert_refused(["--runtime=scout", "--", "probe"], word,
                                    environment=environment)

    def test_stuck(self):
        """Signals do not wait for it."""
        self.timeout = 20
        self.set_alarm()
        self.ref.touch()
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        environment = self.make_bwrap(f"echo stuck >'{pipe}'\nexec sleep 1000")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = self.start("--runtime=scout", "--", "probe", environment=environment)
            self.assertEqual(pipe.read_text(), "stuck\n")
            process.send_signal(number)
            result = self.finish(process)
            self.assertEqual((result.status, result.out), (128 + number, b""), result.err)
            self.assertEqual(harness.list_descendants(os.getpid()), [])

    def test_killed_while_its_child_waits(self):
        """Nobody is left who could start the program, nor who waits for ever."""
        self.timeout = 20
        self.set_alarm()
        self.ref.touch()
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        shim = pathlib.Path(harness.PROBE).parent / "stop-bwrap.so"
        environment = self.make_bwrap(
            f"LD_PRELOAD='{shim}' PV_TEST_STOPPED='{pipe}' exec bwrap \"$@\"")
        for number in (signal.SIGTERM, signal.SIGHUP):
            process = self.start("--runtime=scout", "--", "probe", environment=environment)
            self.assertEqual(pipe.read_text(), "stopped\n")
            process.send_signal(number)
            result = self.finish(process)
            self.assertEqual((result.status, result.out), (128 + number, b""), result.err)
            self.assertEqual(harness.list_descendants(os.getpid()), [])

    def test_supervisor_replaced(self):
        """The one inside and the one outside are the same file, whatever an upgrade does."""
        self.ref.touch()
        folder = self.work / "libexec"
        folder.mkdir()
        source = os.environ.get("PV_LAUNCH_LIBEXECDIR")
        if not source:
            self.skipTest("PV_LAUNCH_LIBEXECDIR is not set")
        shutil.copy(pathlib.Path(source, "pv-supervise"), folder)
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        environment = self.make_bwrap(f"cat '{pipe}' >/dev/null\nexec bwrap \"$@\"")
        environment["PV_LAUNCH_LIBEXECDIR"] = str(folder)
        process = self.start("--runtime=scout", "--", "probe", "exit", "7",
                             environment=environment)
        with open(pipe, "w", encoding="ascii"):
            (folder / "pv-supervise").unlink()
        self.assertEqual(self.finish(process).status, 7)

    def test_no_helpers(self):
        self.ref.touch()
        self.assert_refused(["--runtime=scout", "--", "probe"], '"/no/such/folder/pv-supervise"',
                            environment={"PV_LAUNCH_LIBEXECDIR": "/no/such/folder"})


class BlockedTest(BadInputCase):
    """User namespaces are blocked, for an ordinary user: root needs none."""

    def setUp(self):
        super().setUp()
        self.ref.touch()
        self.work.chmod(0o777)

    @staticmethod
    def become_ordinary():
        """In a user namespace with one user, who is not root. Runs between fork and exec."""
        if harness.is_root():
            os.setgroups([])
            os.setresgid(*[harness.ORDINARY_UID] * 3)
            os.setresuid(*[harness.ORDINARY_UID] * 3)
            harness.call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
        uid, gid = os.getuid(), os.getgid()
        harness.call("unshare", CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid or 1000} {uid} 1"),
                           ("gid_map", f"{gid or 1000} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)

    def forbid_by_number(self):
        self.become_ordinary()
        with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
            file.write("0")

    def forbid_by_filter(self):
        """unshare and clone with CLONE_NEWUSER: EPERM; clone3: ENOSYS, as its flags are hidden."""
        self.become_ordinary()
        unshare, clone, clone3 = SYSTEM_CALLS[platform.machine()]
        load, jump_equal, jump_set, answer = 0x20, 0x15, 0x45, 0x06
        program = [
            (load, 0, 0, 0),
            (jump_equal, 4, 0, clone3),
            (jump_equal, 1, 0, unshare),
            (jump_equal, 0, 3, clone),
            (load, 0, 0, 16),
            (jump_set, 2, 1, CLONE_NEWUSER),
            (answer, 0, 0, SECCOMP_RET_ERRNO | 38),
            (answer, 0, 0, SECCOMP_RET_ALLOW),
            (answer, 0, 0, SECCOMP_RET_ERRNO | 1),
        ]
        code = b"".join(struct.pack("=HBBI", *line) for line in program)
        buffer = ctypes.create_string_buffer(code)
        filter_ = struct.pack("@HP", len(program), ctypes.addressof(buffer))
        harness.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        harness.call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_)

    def check(self, block, *words):
        result = self.assert_refused(["--runtime=scout", "--", "probe"], *words, preexec_fn=block)
        self.assertEqual(len(result.lines), 2, result.err)
        return result.lines[1]

    def test_not_blocked(self):
        """Otherwise the others would prove nothing."""
        result = self.run_launch("--runtime=scout", "--", "probe", "args", "a",
                                 preexec_fn=self.become_ordinary)
        self.assertEqual((result.status, result.out, result.err), (0, b"a\0", ""))

    def test_number(self):
        hint = self.check(self.forbid_by_number, "user.max_user_namespaces is 0")
        self.assertIn("sysctl user.max_user_namespaces=", hint)

    def test_filter(self):
        if platform.machine() not in SYSTEM_CALLS:
            self.skipTest(SKIP_MACHINE)
        self.check(self.forbid_by_filter, "seccomp filter")


if __name__ == "__main__":
    harness.main()
