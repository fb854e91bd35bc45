#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runtimes are found, programs run in them, and what they say and return comes back."""

import os
import pathlib
import signal
import subprocess

import harness


class RuntimeTest(harness.Case):
    """Runtimes as they are built from recipes, by all the names that one can have."""

    def assert_release(self, version, *arguments, **others):
        result = self.run_launch(*arguments, "--", "cat", "/etc/os-release", **others)
        self.assert_works(result)
        self.assertIn(f'VERSION_ID="{version}"', result.text.splitlines())
        self.assertIn("ID=debian", result.text.splitlines())

    def test_debian11(self):
        folder = self.get_runtime("debian11").parent
        (self.work / "scout").symlink_to(folder)
        self.assert_release(11, "--runtime=scout/files")

    def test_debian13(self):
        self.assert_release(13, f"--runtime={self.get_runtime('debian13')}")

    def test_complete_root(self):
        files = self.get_runtime("debian11-root")
        self.assertTrue((files / "usr").is_dir())
        self.assert_release(11, f"--runtime={files}")

    def test_folder_around_files(self):
        self.assert_release(11, f"--runtime={self.get_runtime('debian11').parent}")

    def test_relative_to_the_current_folder(self):
        store = self.get_runtime("debian11").parent.parent
        self.assert_release(11, "--runtime=debian11/files", cwd=store)

    def test_runtime_base(self):
        store = self.get_runtime("debian11").parent.parent
        for name in ("debian11", "debian11/files"):
            self.assert_release(11, f"--runtime-base={store}", f"--runtime={name}")

    def test_symlinked_folder(self):
        store = self.get_runtime("debian11").parent.parent
        (self.work / "one").symlink_to(store)
        (self.work / "two").symlink_to("one/debian11")
        self.assert_release(11, f"--runtime={self.work}/two/files")
        self.assert_release(11, f"--runtime={self.work}/two")

    def test_store(self):
        store = self.get_runtime("debian11").parent.parent
        for variable in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
            base = self.folder / variable
            (base / "pv-launch").mkdir(parents=True)
            (base / "pv-launch/runtimes").symlink_to(store)
            self.assert_release(11, "--runtime=debian11", environment={variable: str(base)})

    def test_variables(self):
        store = self.get_runtime("debian11").parent.parent
        for prefix in ("PV_LAUNCH", "PRESSURE_VESSEL"):
            variables = {f"{prefix}_RUNTIME": "debian13", f"{prefix}_RUNTIME_BASE": str(store)}
            self.assert_release(13, environment=variables)
            self.assert_release(11, "--runtime=debian11", environment=variables)

    def test_host(self):
        expected = pathlib.Path("/etc/os-release").read_bytes()
        before = [os.path.lexists(path) for path in ("/.ref", "/usr/.ref")]
        for arguments in ([], ["--runtime="], ["--runtime=/usr"], ["--runtime=/"]):
            result = self.run_launch(*arguments, "--", "cat", "/etc/os-release")
            self.assert_works(result)
            self.assertEqual(result.out, expected)
        self.assertEqual([os.path.lexists(path) for path in ("/.ref", "/usr/.ref")], before)

    def test_check_and_prepare(self):
        self.make_runtime()
        for arguments in (["--test"], ["--only-prepare", "probe"]):
            result = self.run_launch("--runtime=scout", *arguments)
            self.assert_works(result)
            self.assertEqual(result.out, b"")

    def test_help_and_version(self):
        result = self.run_launch("--help")
        self.assert_works(result)
        self.assertLessEqual(max(map(len, result.text.splitlines())), 80)
        result = self.run_launch("--version")
        self.assert_works(result)
        self.assertRegex(result.text, r"^pv-launch \d+\.\d+")

    def test_help_that_cannot_be_written(self):
        for option in ("--help", "--version"):
            with open("/dev/full", "wb") as full:
                result = self.run_launch(option, stdout=full)
            self.assert_failed(result, "No space left on device")


class StatusTest(harness.Case):
    """What the program returns and writes."""

    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def run_probe(self, *words, **others):
        return self.run_launch("--runtime=scout", "--", *words, **others)

    def test_status(self):
        for status in (0, 1, 2, 3, 124, 125, 126, 127, 255):
            result = self.run_probe("probe", "exit", str(status))
            self.assertEqual((result.status, result.out, result.err), (status, b"", ""))

    def test_signal(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP):
            result = self.run_probe("probe", "signal", str(int(number)))
            self.assertEqual((result.status, result.out, result.err), (128 + number, b"", ""))

    def test_not_found(self):
        for name in ("no-such-program", "/usr/bin/no-such-program", "./no-such-program", ""):
            self.assert_failed(self.run_probe(name), f'"{name}"', status=127)

    def test_complaint_that_nobody_hears(self):
        receiving, sending = os.pipe()
        os.close(receiving)
        process = self.start("--", "no-such-program", stderr=sending)
        os.close(sending)
        self.assertEqual(process.wait(), 127)

    def test_not_executable(self):
        (self.files / "bin/data").write_text("probe\n")
        (self.files / "bin/folder").mkdir()
        (self.files / "bin/odd").write_bytes(b"\x7fELF\x02\x01\x01\0")
        (self.files / "bin/odd").chmod(0o755)
        for name in ("data", "/usr/bin/data", "/usr/bin/folder", "odd"):
            self.assert_failed(self.run_probe(name), f'"{name}"', status=126)

    def test_launcher_failed(self):
        self.assert_failed(self.run_launch("--runtime=no-such-runtime", "--", "probe"),
                           '"no-such-runtime"')

    def test_terminate(self):
        process = self.start_waiting("--runtime=scout")
        process.terminate()
        process.wait()
        result = self.finish(process)
        self.assertEqual((result.status, result.err), (128 + signal.SIGTERM, ""))

    def test_children_from_before(self):
        """Of what the caller started before it became pv-launch nobody waits for the end."""
        process = self.start("-c", 'cat <&3 >&2 & exec "$@"', "sh", harness.PV_LAUNCH,
                             "--runtime=scout", "--", "probe", "exit", "3", command=["sh"],
                             stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             **self.make_third())
        self.assertEqual(process.wait(), 3)
        self.assertEqual(len(harness.list_descendants(os.getpid())), 1)
        os.close(self.write_end)
        os.waitpid(-1, 0)

    def make_third(self):
        """An fd 3 that is the end of a pipe to which this process writes."""
        read_end, self.write_end = os.pipe()
        self.addCleanup(os.close, read_end)

        def become_third():
            os.dup2(read_end, 3)

        return {"preexec_fn": become_third, "pass_fds": [3]}

    def test_ended_children_are_ignored(self):
        """SIGCHLD is ignored by the caller."""
        self.timeout = 20
        self.set_alarm()
        for arguments in ([], ["--unshare-pid"]):
            result = self.run_launch(
                "--runtime=scout", *arguments, "--", "probe", "exit", "3",
                preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
            self.assertEqual((result.status, result.out, result.err), (3, b"", ""))

    def test_output_is_exact(self):
        data = os.urandom(1_000_000)
        result = self.run_probe("probe", "cat", "/dev/stdin", data=data)
        self.assert_works(result)
        self.assertEqual(len(result.out), len(data))
        self.assertEqual(result.out, data)

    def test_level_of_the_command_line(self):
        """--verbose counts, not the level that the environment says."""
        quiet = {"PV_LAUNCH_LOG_LEVEL": "error"}
        for arguments, is_quiet in (([], True), (["--verbose"], False),
                                    (["--log-level=info"], False),
                                    (["--log-level=error"], True)):
            result = self.run_launch("--runtime=scout", *arguments, "--", "probe",
                                     environment={**quiet, "HOME": "/usr"})
            self.assertEqual((result.status, result.err == ""), (0, is_quiet), result.err)

    def test_messages_are_apart(self):
        # A home that cannot be shared is one that something has to be said about.
        result = self.run_launch("--runtime=scout", "--log-level=debug", "--", "probe", "args",
                                 "a", environment={"HOME": "/usr"})
        self.assertEqual((result.status, result.out), (0, b"a\0"))
        self.assertIn('"/usr"', result.err)
        for line in result.lines:
            self.assertTrue(line.startswith("pv-launch: "), line)


if __name__ == "__main__":
    harness.main()
