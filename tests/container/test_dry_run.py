#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--dry-run: what it says is what would happen, and nothing happens."""

import json
import pathlib
import re
import socket

import harness

FORMATS = ("text", "json", "argv")

# Of a view: how each mount, each top-level name, each name in /etc and each variable looks.
SHOW_VIEW = r"""
while read -r _ _ _ root point options _; do echo "mount $point $root ${options%%,*}"; done \
  </proc/self/mountinfo
for path in /* /.* /etc/* /var/* /var/lib/* /run/*; do stat -c '%A %u %g %N' "$path"; done
cat /etc/passwd /etc/group
env | sort
pwd
"""


class DryRunTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()

    def dry_run(self, form, *arguments, program=("probe", "args", "a"), **others):
        result = self.run_launch(f"--dry-run={form}", *arguments, "--", *program, **others)
        self.assert_works(result)
        return result.text

    def plan(self, *arguments, **others):
        return json.loads(self.dry_run("json", *arguments, **others))

    def test_takes_no_lock(self):
        with harness.hold_exclusive(self.files / ".ref"):
            for form in FORMATS:
                self.assertNotEqual(self.dry_run(form, "--runtime=scout", "--lock-timeout=0"), "")

    def test_writes_nothing(self):
        (self.files / ".ref").unlink()
        before = sorted(self.folder.rglob("*"))
        for form in FORMATS:
            self.dry_run(form, "--runtime=scout")
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_no_value_is_text(self):
        result = self.run_launch("--dry-run", "--runtime=scout", "--", "probe", "args", "a")
        self.assert_works(result)
        self.assertEqual(result.text, self.dry_run("text", "--runtime=scout"))

    def test_json(self):
        plan = self.plan("--runtime=scout", program=("probe", "a b", "\n"))
        self.assertEqual(plan["program"], ["probe", "a b", "\n"])
        self.assertEqual(plan["runtime"]["path"], str(self.files))
        self.assertEqual(plan["runtime"]["layout"], "usr")
        self.assertEqual(plan["cwd"], str(self.work))
        self.assertTrue(all(mount["reason"] for mount in plan["mounts"]))
        self.assertEqual(plan["mount_count"],
                         sum(mount["is_mount"] for mount in plan["mounts"]))
        usr = [mount for mount in plan["mounts"] if mount["dest"] == "/usr"]
        self.assertEqual([(mount["kind"], mount["source"]) for mount in usr],
                         [("ro-bind", str(self.files))])

    def test_sources(self):
        plan = self.plan("--runtime=scout", "--lock-timeout=3", environment={
            "PV_LAUNCH_LOCK_TIMEOUT": "5", "PV_LAUNCH_UNSHARE_NET": "1",
            "PRESSURE_VESSEL_SHARE_HOME": "0"})
        found = {option["name"]: (option["value"], option["source"]) for option in plan["options"]}
        self.assertEqual(found["runtime"], ("scout", "argv"))
        self.assertEqual(found["lock-timeout"], ("3", "argv"))
        self.assertEqual(found["unshare-net"], ("1", "PV_LAUNCH_UNSHARE_NET"))
        self.assertEqual(found["share-home"], ("0", "PRESSURE_VESSEL_SHARE_HOME"))
        self.assertEqual(found["share-pid"][1], "default")
        self.assertFalse(plan["share_net"])
        text = self.dry_run("text", "--runtime=scout",
                            environment={"PV_LAUNCH_UNSHARE_NET": "1"})
        self.assertRegex(text, r"--runtime +scout +argv\n")
        self.assertRegex(text, r"--unshare-net +1 +PV_LAUNCH_UNSHARE_NET\n")
        self.assertRegex(text, r"--share-pid .*default\n")

    def test_text_has_each_mount_with_its_reason(self):
        arguments = ["--runtime=scout", f"--filesystem={self.folder}/session:ro"]
        text = self.dry_run("text", *arguments)
        for mount in self.plan(*arguments)["mounts"]:
            lines = [line for line in text.splitlines()
                     if re.match(rf" +{mount['kind']} +{re.escape(mount['dest'])}( |$)", line)]
            self.assertTrue(any(line.endswith(mount["reason"]) for line in lines), mount)

    def test_names_cannot_forge_lines(self):
        evil = self.work / "a\n  bind     /etc"
        evil.mkdir(parents=True)
        text = self.dry_run("text", "--runtime=scout", f"--filesystem={evil}")
        self.assertNotIn("\n  bind     /etc", text)


class ArgvTest(harness.Case):
    """The shell command runs as it stands, and gives the same view."""

    def show(self, *arguments, **others):
        direct = self.run_launch(*arguments, "--", "sh", "-c", SHOW_VIEW, **others)
        self.assert_works(direct)
        command = self.run_launch("--dry-run=argv", *arguments, "--", "sh", "-c", SHOW_VIEW,
                                  **others)
        self.assert_works(command)
        again = self.finish(self.start(command=["sh", "-c", command.text], **others))
        self.assert_works(again)
        self.assertEqual(self.simplify(again), self.simplify(direct))
        return command.text

    @staticmethod
    def simplify(result):
        """Without what each shell sets for its children."""
        return [line for line in result.text.splitlines()
                if not line.startswith(("_=", "SHLVL=", "OLDPWD=", "PWD="))]

    def test_same_view(self):
        for name in ("minimal", "debian11-root"):
            files = self.get_runtime(name)
            for arguments in ([], ["--unshare-home"], ["--unshare-pid", "--unshare-net"],
                              [f"--filesystem={self.folder}:ro", "--setenv=A=b c'd\"e\n",
                               "--unsetenv=LC_ALL"]):
                with self.subTest(name, arguments=arguments):
                    self.show(f"--runtime={files}", *arguments)

    def test_host(self):
        self.show("--runtime=")

    def test_words(self):
        self.make_runtime()
        words = ["--bind", "--", "-", "", "a\nb", " ", "'", '"', "\\", "$HOME", "`id`", "*", "END"]
        command = self.run_launch("--dry-run=argv", "--runtime=scout", "--", "probe", "args",
                                  *words)
        self.assert_works(command)
        self.assertNotIn(" --args", command.text)
        result = self.finish(self.start(command=["sh", "-c", command.text]))
        self.assert_works(result)
        self.assertEqual(result.out, b"".join(word.encode() + b"\0" for word in words))

    def test_status(self):
        self.make_runtime()
        command = self.run_launch("--dry-run=argv", "--runtime=scout", "--", "probe", "exit", "3")
        self.assertEqual(self.finish(self.start(command=["sh", "-c", command.text])).status, 3)


class DesktopTest(harness.Case):
    """The variables and sockets of a desktop: few mounts, and all that they name is there."""

    def setUp(self):
        super().setUp()
        self.make_runtime()
        session = self.folder / "session"
        self.listen(session / "wayland-0")
        self.listen(session / "bus")
        (session / "pulse").mkdir()
        self.listen(session / "pulse/native")
        display = self.listen_as_x_server()
        authority = self.folder / "home/.Xauthority"
        authority.write_text("cookie")
        self.environment.update({
            "WAYLAND_DISPLAY": "wayland-0", "DISPLAY": display, "XAUTHORITY": str(authority),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={session}/bus",
            "PULSE_SERVER": f"unix:{session}/pulse/native",
        })

    def listen(self, path):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen()
        return path

    def listen_as_x_server(self):
        folder = pathlib.Path("/tmp/.X11-unix")
        if not folder.exists():
            folder.mkdir(0o1777)
            folder.chmod(0o1777)
            self.addCleanup(self.remove_if_empty, folder)
        for number in range(900, 1000):
            path = folder / f"X{number}"
            try:
                self.listen(path)
            except OSError:
                continue
            self.addCleanup(path.unlink)
            self.x_socket = path
            return f":{number}"
        self.fail("no free display")

    @staticmethod
    def remove_if_empty(folder):
        try:
            folder.rmdir()
        except OSError:
            pass

    def test_at_most_twenty_mounts(self):
        result = self.run_launch("--dry-run=json", "--runtime=scout", "--", "probe")
        self.assert_works(result)
        plan = json.loads(result.text)
        self.assertLessEqual(plan["mount_count"], 20)
        command = self.run_launch("--dry-run=argv", "--runtime=scout", "--", "probe").text
        words = re.findall(r"(?m)^  '--(bind|ro-bind|dev-bind|proc|tmpfs|dev|mqueue)'", command)
        self.assertLessEqual(len(words), 20)
        self.assertEqual(len(words), plan["mount_count"])

    def test_sockets(self):
        session = self.folder / "session"
        for path in (session / "wayland-0", session / "bus", session / "pulse/native",
                     self.x_socket):
            for arguments in ([], ["--unshare-pid"]):
                result = self.run_launch("--runtime=scout", *arguments, "--", "probe", "connect",
                                         str(path))
                self.assert_works(result)

    def test_files_and_variables(self):
        result = self.run_launch("--runtime=scout", "--", "probe", "cat",
                                 self.environment["XAUTHORITY"])
        self.assertEqual(result.text, "cookie")
        result = self.run_launch("--runtime=scout", "--", "probe", "cat", "/proc/self/environ")
        words = result.text.split("\0")
        for name in ("WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
                     "DBUS_SESSION_BUS_ADDRESS", "PULSE_SERVER"):
            self.assertIn(f"{name}={self.environment[name]}", words)

    def test_outside_of_shared_folders(self):
        """Sockets and files named by an absolute path elsewhere."""
        other = self.folder / "other"
        other.mkdir()
        self.listen(other / "wayland-1")
        (other / "authority").write_text("other cookie")
        variables = {"WAYLAND_DISPLAY": str(other / "wayland-1"),
                     "XAUTHORITY": str(other / "authority")}
        result = self.run_launch("--runtime=scout", "--", "probe", "connect",
                                 str(other / "wayland-1"), environment=variables)
        self.assert_works(result)
        result = self.run_launch("--runtime=scout", "--", "probe", "cat",
                                 str(other / "authority"), environment=variables)
        self.assertEqual(result.text, "other cookie")


if __name__ == "__main__":
    harness.main()
