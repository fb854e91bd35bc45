#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of the host a program sees: identity, /etc, folders that are shared, variables."""

import errno
import grp
import os
import pathlib
import pwd
import shutil

import harness


class IdentityTest(harness.SurroundingsCase):
    def get_name(self, number, look_up, fallback):
        try:
            return look_up(number)[0]
        except KeyError:
            return f"{fallback}{number}"

    def test_passwd(self):
        lines = self.probe("cat", "/etc/passwd").splitlines()
        own = lines[0].split(":")
        self.assertEqual(own[0], self.get_name(os.getuid(), pwd.getpwuid, "user"))
        self.assertEqual(own[2:4], [str(os.getuid()), str(os.getgid())])
        self.assertEqual(own[5], self.environment["HOME"])
        self.assertEqual(own[6], "/bin/sh")
        names = [line.split(":")[0] for line in lines]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("nobody", names)

    def test_group(self):
        lines = self.probe("cat", "/etc/group").splitlines()
        own = lines[0].split(":")
        self.assertEqual(own[0], self.get_name(os.getgid(), grp.getgrgid, "group"))
        self.assertEqual(own[2], str(os.getgid()))

    def test_programs_know_the_user(self):
        files = self.get_runtime("minimal")
        result = self.run_launch(f"--runtime={files}", "--", "sh", "-c", "id -un; id -u; id -gn")
        self.assert_works(result)
        self.assertEqual(result.text.splitlines(), [
            self.get_name(os.getuid(), pwd.getpwuid, "user"), str(os.getuid()),
            self.get_name(os.getgid(), grp.getgrgid, "group")])


class EtcTest(harness.SurroundingsCase):
    """With an /etc of the test's own, in a mount namespace."""

    def setUp(self):
        super().setUp()
        self.etc = self.folder / "etc"
        self.etc.mkdir()
        for name in ("passwd", "group"):
            shutil.copy(f"/etc/{name}", self.etc)
        (self.etc / "hosts").write_text("127.0.0.1 hosts-of-the-test\n")
        (self.etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (self.etc / "host.conf").write_text("multi on\n")
        (self.etc / "timezone").write_text("Europe/Berlin\n")
        (self.etc / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
        self.network = self.folder / "network"
        self.network.mkdir()
        self.resolv = self.network / "resolv.conf"
        self.resolv.write_text("nameserver 192.0.2.1\n")
        self.script = f"mount --bind '{self.etc}' /etc"

    def start_with_etc(self, *arguments, **others):
        command = harness.in_mount_namespace(self.script, [harness.PV_LAUNCH])
        return self.start(*arguments, command=command, **others)

    def read(self, name, *options):
        result = self.finish(self.start_with_etc(
            "--runtime=scout", *options, "--", "probe", "cat", f"/etc/{name}"))
        self.assert_works(result)
        return result.text

    def link_resolv(self, target):
        (self.etc / "resolv.conf").symlink_to(target)

    def test_files_of_the_host(self):
        (self.etc / "resolv.conf").write_text("nameserver 192.0.2.2\n")
        for name in ("hosts", "machine-id", "host.conf", "timezone", "resolv.conf"):
            self.assertEqual(self.read(name), (self.etc / name).read_text())
            self.assertEqual(self.read(name, "--unshare-home"), (self.etc / name).read_text())

    def test_files_that_are_missing(self):
        for name in ("hosts", "machine-id", "timezone", "localtime"):
            (self.etc / name).unlink()
        result = self.finish(self.start_with_etc("--runtime=scout", "--", "probe", "cat",
                                                 "/etc/hosts"))
        self.assertEqual(result.status, 1)

    def test_links(self):
        """As another file in /etc, as one in /usr, and one that leads nowhere."""
        (self.etc / "other").write_text("127.0.0.1 another\n")
        (self.etc / "hosts").unlink()
        (self.etc / "hosts").symlink_to("other")
        self.assertEqual(self.read("hosts"), "127.0.0.1 another\n")
        (self.etc / "machine-id").unlink()
        (self.etc / "machine-id").symlink_to("/usr/share/doc/bubblewrap/copyright")
        copyright_ = pathlib.Path("/usr/share/doc/bubblewrap/copyright")
        if copyright_.exists():
            self.assertEqual(self.read("machine-id"), copyright_.read_text())
        self.link_resolv("/no/such/file")
        self.assertEqual(self.read("hosts"), "127.0.0.1 another\n")

    def start_and_read_twice(self):
        """A second read follows when standard input says so."""
        files = self.get_runtime("minimal")
        process = self.start_with_etc(
            f"--runtime={files}", "--", "sh", "-c",
            "cat /etc/resolv.conf; echo ready; read -r _; cat /etc/resolv.conf")
        self.assertEqual(self.read_until(process, b"ready\n"), b"nameserver 192.0.2.1\n")
        return process

    def test_resolv_conf_is_current(self):
        for target in (self.resolv, f"..{self.resolv}"):
            self.resolv.write_text("nameserver 192.0.2.1\n")
            (self.etc / "resolv.conf").unlink(missing_ok=True)
            self.link_resolv(target)
            process = self.start_and_read_twice()
            new = self.network / "new"
            new.write_text("nameserver 192.0.2.99\n")
            new.rename(self.resolv)
            result = self.finish(process, b"go\n")
            self.assertEqual((result.status, result.out), (0, b"nameserver 192.0.2.99\n"))

    def test_resolv_conf_in_etc_is_current(self):
        (self.etc / "resolv.conf").write_text("nameserver 192.0.2.1\n")
        process = self.start_and_read_twice()
        (self.etc / "new").write_text("nameserver 192.0.2.98\n")
        (self.etc / "new").rename(self.etc / "resolv.conf")
        result = self.finish(process, b"go\n")
        self.assertEqual((result.status, result.out), (0, b"nameserver 192.0.2.98\n"))

    def test_resolv_conf_in_a_folder_of_the_container(self):
        """One that the container makes itself: the contents must do."""
        self.script += "\nmount -t tmpfs none /run\necho 'nameserver 192.0.2.3' >/run/resolv.conf"
        for target, expected in (("/run/resolv.conf", "nameserver 192.0.2.3\n"),
                                 ("../run/resolv.conf", "nameserver 192.0.2.3\n"),
                                 ("/proc/sys/kernel/ostype", "Linux\n"),
                                 ("/proc/version", pathlib.Path("/proc/version").read_text())):
            with self.subTest(target):
                (self.etc / "resolv.conf").unlink(missing_ok=True)
                self.link_resolv(target)
                self.assertEqual(self.read("resolv.conf"), expected)

    def test_localtime(self):
        zone = "Europe/Berlin"
        for name in ("debian11", "minimal"):
            files = self.get_runtime(name)
            result = self.finish(self.start_with_etc(
                f"--runtime={files}", "--", "sh", "-c",
                "date -d @0 +%H; readlink /etc/localtime || :"))
            self.assert_works(result)
            lines = result.text.splitlines()
            self.assertEqual(lines[0], "01" if self.host_has(zone) or name == "debian11" else "00")
            if name == "debian11":
                self.assertEqual(lines[1], f"/usr/share/zoneinfo/{zone}")

    @staticmethod
    def host_has(zone):
        return pathlib.Path("/usr/share/zoneinfo", zone).exists()


class SessionTest(harness.SurroundingsCase):
    def test_shared(self):
        session = self.folder / "session"
        (session / "file").write_text("in the session")
        self.assertEqual(self.get_variables()["XDG_RUNTIME_DIR"], str(session))
        self.assertEqual(self.probe("cat", f"{session}/file"), "in the session")

    def test_missing(self):
        expected = f"/run/user/{os.getuid()}"
        variables = {"XDG_RUNTIME_DIR": "/no/such/folder"}
        self.assertEqual(self.get_variables(environment=variables)["XDG_RUNTIME_DIR"], expected)
        self.assertEqual(self.write_inside(f"{expected}/file", environment=variables), 0)
        self.assertFalse(os.path.exists(f"{expected}/file"))

    def test_tmp_is_shared(self):
        self.assertEqual(self.probe("stat", "/tmp"), "{0.st_dev}:{0.st_ino}\n".format(
            os.stat("/tmp")))

    def test_var_tmp_is_not(self):
        name = f"/var/tmp/pv-test-{os.getpid()}"
        result = self.run_launch(f"--runtime={self.files}", "--", "probe", "write", name, cwd="/")
        self.assertEqual(result.text, "written\n")
        self.assertFalse(os.path.exists(name))


class SharedTest(harness.SurroundingsCase):
    """--filesystem and the current folder."""

    NAMES = (b"a b", b" ", b"a:b", b":ro", b"a:ro:b", b"a\nb", b"\xff\xfe", b"'\"", b"-", b"\\012",
             "ä€".encode(), b"a,b", b"$HOME")

    def make(self, name="shared"):
        folder = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(folder)
        with open(folder + b"/file", "wb") as file:
            file.write(b"shared")
        return folder

    def cat(self, path, *options, **others):
        result = self.run_launch("--runtime=scout", *options, "--", "probe", "cat", path, **others)
        self.assert_works(result)
        return result.out

    def test_read_write(self):
        folder = self.make().decode()
        self.assertFalse(self.is_there(folder))
        self.assertEqual(self.cat(f"{folder}/file", f"--filesystem={folder}"), b"shared")
        self.assertEqual(self.write_inside(f"{folder}/new", f"--filesystem={folder}"), 0)
        self.assertEqual(pathlib.Path(folder, "new").read_text(), "written")

    def test_read_only(self):
        folder = self.make().decode()
        option = f"--filesystem={folder}:ro"
        self.assertEqual(self.cat(f"{folder}/file", option), b"shared")
        for name in ("file", "new"):
            self.assertEqual(self.write_inside(f"{folder}/{name}", option), errno.EROFS)
        self.assertEqual(os.listdir(folder), ["file"])

    def test_file(self):
        folder = self.make().decode()
        option = f"--filesystem={folder}/file:ro"
        self.assertEqual(self.cat(f"{folder}/file", option), b"shared")
        self.assertEqual(self.write_inside(f"{folder}/file", option), errno.EROFS)

    def test_read_only_in_writable(self):
        folder = self.make("outer/inner").decode()
        outer = os.path.dirname(folder)
        for options in ([f"--filesystem={outer}", f"--filesystem={folder}:ro"],
                        [f"--filesystem={folder}:ro", f"--filesystem={outer}"]):
            self.assertEqual(self.write_inside(f"{folder}/new", *options), errno.EROFS)
            self.assertEqual(self.write_inside(f"{outer}/new", *options), 0)
        options = [f"--filesystem={outer}:ro", f"--filesystem={folder}"]
        self.assertEqual(self.write_inside(f"{folder}/new", *options), 0)
        self.assertEqual(self.write_inside(f"{outer}/other", *options), errno.EROFS)

    def test_last_counts(self):
        folder = self.make().decode()
        (self.folder / "link").symlink_to("shared")
        for name in ("shared", "link"):
            options = [f"--filesystem={folder}", f"--filesystem={self.folder}/{name}:ro"]
            self.assertEqual(self.write_inside(f"{folder}/new", *options), errno.EROFS)
            self.assertEqual(self.write_inside(f"{folder}/new", *options, options[0]), 0)
            os.unlink(f"{folder}/new")

    def test_names(self):
        for name in self.NAMES:
            with self.subTest(name):
                folder = self.make(name)
                suffix = b":ro" if name.endswith(b":ro") else b""
                option = b"--filesystem=" + folder + suffix
                self.assertEqual(self.cat(folder + b"/file", option), b"shared")
                self.assertEqual(self.cat("file", f"--runtime={self.files}", cwd=folder),
                                 b"shared")

    def test_names_read_only(self):
        for name in self.NAMES:
            with self.subTest(name):
                folder = self.make(name)
                self.assertEqual(self.cat(folder + b"/file", b"--filesystem=" + folder + b":ro"),
                                 b"shared")
                result = self.run_launch("--runtime=scout", b"--filesystem=" + folder + b":ro",
                                         "--", "probe", "write", folder + b"/new")
                self.assertEqual(result.text, f"{errno.EROFS}\n")

    def test_symlinked_ancestors(self):
        folder = self.make("real/inner").decode()
        (self.folder / "one").symlink_to("real")
        (self.folder / "two").symlink_to(self.folder / "one")
        for path in (f"{self.folder}/one/inner", f"{self.folder}/two/inner"):
            option = f"--filesystem={path}"
            self.assertEqual(self.cat(f"{path}/file", option), b"shared")
            self.assertEqual(self.cat(f"{folder}/file", option), b"shared")

    def test_symlink_itself(self):
        folder = self.make("real").decode()
        (self.folder / "link").symlink_to("real")
        option = f"--filesystem={self.folder}/link:ro"
        self.assertEqual(self.cat(f"{self.folder}/link/file", option), b"shared")
        self.assertEqual(self.write_inside(f"{folder}/new", option), errno.EROFS)

    def test_variable(self):
        folder = self.make("a b").decode()
        other = self.make("other").decode()
        variables = {"PV_LAUNCH_FILESYSTEM": f"{folder}:ro:{other}"}
        self.assertEqual(self.cat(f"{folder}/file", environment=variables), b"shared")
        self.assertEqual(self.write_inside(f"{folder}/new", environment=variables), errno.EROFS)
        self.assertEqual(self.write_inside(f"{other}/new", environment=variables), 0)

    def test_current_folder(self):
        folder = self.make("deep/er").decode()
        self.assertEqual(self.cat("file", f"--runtime={self.files}", cwd=folder), b"shared")
        files = self.get_runtime("minimal")
        result = self.run_launch(f"--runtime={files}", "--", "pwd", "-P", cwd=folder)
        self.assertEqual(result.text, f"{folder}\n")

    def test_current_folder_is_root(self):
        self.assertEqual(self.cat("usr/marker", f"--runtime={self.files}", cwd="/"), b"first")

    def test_current_folder_was_deleted(self):
        folder = self.make()
        process = self.start("-c", 'cd "$1" && rm -r "$1" && shift && exec "$@"', "sh", folder,
                             harness.PV_LAUNCH, f"--runtime={self.files}", "--", "probe", "cat",
                             "usr/marker", command=["sh"])
        result = self.finish(process)
        self.assertEqual((result.status, result.out), (0, b"first"))
        self.assertEqual(len(result.lines), 1)


class VariablesTest(harness.SurroundingsCase):
    def test_set_and_unset(self):
        found = self.get_variables("--setenv=A=1", "--setenv=B=", "--setenv=C=x=y\n",
                                   "--unsetenv=D", "--setenv=A=2",
                                   environment={"D": "d", "E": "e", "A": "0"})
        self.assertEqual((found["A"], found["B"], found["C"], found["E"]), ("2", "", "x=y\n", "e"))
        self.assertNotIn("D", found)

    def test_many(self):
        expected = {f"NAME_{number}": f"{number}=a\nb=\n=" for number in range(4000)}
        found = self.get_variables(*(f"--setenv={name}={value}"
                                     for name, value in expected.items()))
        self.assertEqual({name: found.get(name) for name in expected}, expected)

    def test_of_this_launch(self):
        """What was for the launcher is not for one that the program starts."""
        variables = {"PV_LAUNCH_RUNTIME": "none", "PV_LAUNCH_SETENV": "A=1", "PV_LAUNCH_X": "x",
                     "PV_LAUNCH_Y": "y"}
        found = self.get_variables("--setenv=PV_LAUNCH_X=1", environment=variables)
        self.assertEqual({name for name in found if name.startswith("PV_LAUNCH_")}, {"PV_LAUNCH_X"})
        self.assertEqual((found["PV_LAUNCH_X"], found["A"]), ("1", "1"))

    def test_if_host(self):
        options = ["--env-if-host=A=host", "--env-if-host=B=host", "--setenv=B=set"]
        self.assertNotIn("A", self.get_variables(*options))
        result = self.run_launch(*options, "--", "env")
        self.assert_works(result)
        self.assertIn("A=host", result.text.splitlines())
        self.assertIn("B=set", result.text.splitlines())

    def test_path(self):
        found = self.get_variables(environment={"PATH": "/opt/host:" + os.environ["PATH"]})
        self.assertNotIn("/opt/host", found["PATH"])
        self.assertIn("/usr/bin", found["PATH"].split(":"))

    def test_of_the_launcher(self):
        found = self.get_variables()
        self.assertEqual(found["container"], "pv-launch")
        self.assertEqual(self.probe("cat", "/run/host/container-manager"), "pv-launch\n")


class RemoteTest(harness.Case):
    """A runtime on a filesystem whose locks do not reach everybody: a real FUSE mount."""

    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()
        if shutil.which("bindfs") is None:
            self.skipTest("bindfs is not installed")
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            self.skipTest("/dev/fuse cannot be opened")
        self.mount = self.work / "mounted"
        self.mount.mkdir()

    def run_mounted(self, *options):
        script = f"bindfs --no-allow-other -f '{self.files}' '{self.mount}' & helper=$!\n" \
            f"until mountpoint -q '{self.mount}'; do kill -0 $helper; done\n" \
            'status=0; "$@" || status=$?\n' \
            f"umount '{self.mount}'; wait $helper; exit $status"
        command = harness.in_mount_namespace(script, [harness.PV_LAUNCH])
        result = self.finish(self.start(f"--runtime={self.mount}", *options, "--", "probe", "args",
                                        "a", command=command))
        if "fuse" in result.err and "permitted" in result.err:
            self.skipTest("FUSE cannot be mounted here")
        return result

    def test_warn(self):
        for options in ([], ["--lock-on-remote=warn"]):
            result = self.run_mounted(*options)
            self.assertEqual((result.status, result.out), (0, b"a\0"), result.err)
            self.assertEqual(len(result.lines), 1, result.err)
            self.assertIn("FUSE", result.err)

    def test_allow(self):
        result = self.run_mounted("--lock-on-remote=allow")
        self.assertEqual((result.status, result.out, result.err), (0, b"a\0", ""))

    def test_refuse(self):
        result = self.run_mounted("--lock-on-remote=refuse")
        self.assert_failed(result, "FUSE", f'"{self.mount}')


if __name__ == "__main__":
    harness.main()
