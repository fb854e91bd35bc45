#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pvctl runtime build and list, from outside.

PVCTL, PV_LAUNCH_LIBEXECDIR and PV_LAUNCH_RECIPEDIR say what is tested.
"""

import functools
import http.client
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import harness

PVCTL = os.environ.get("PVCTL", "pvctl")
USER_ID = 61234
SUBORDINATE_ID = 620000000
TIMEOUT = 300
BROKEN = "[Runtime]\ndisplay_name=x\n[Bootstrap]\nsuite=bookworm\nvariant=tiny\n"


@functools.lru_cache
def why_no_build():
    """Why nothing can be built here, or None."""
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is not installed"
    result = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True)
    for site in result.stdout.split():
        try:
            connection = http.client.HTTPConnection(site.split("/")[2], timeout=10)
            connection.connect()
            connection.close()
            return None
        except (OSError, IndexError, http.client.HTTPException):
            continue
    return "no package mirror can be reached"


class Builder:
    """Somebody who builds: root, or a user who exists only in a mount namespace of its own."""

    def __init__(self, folder, ordinary):
        self.folder = pathlib.Path(folder)
        self.store = self.folder / "data/pv-launch/runtimes"
        self.prefix = []
        (self.folder / "data").mkdir()
        if ordinary:
            self.become_ordinary()
        (self.folder / "tmp").mkdir()
        (self.folder / "tmp").chmod(0o1777)
        self.environment = dict(os.environ, HOME=str(self.folder),
                                XDG_DATA_HOME=str(self.folder / "data"),
                                XDG_DATA_DIRS=str(self.folder / "none"), LC_ALL="C.UTF-8",
                                TMPDIR=str(self.folder / "tmp"))

    def become_ordinary(self):
        entries = {
            "passwd": f"pv-test:x:{USER_ID}:{USER_ID}::{self.folder}:/bin/sh",
            "group": f"pv-test:x:{USER_ID}:",
            "subuid": f"pv-test:{SUBORDINATE_ID}:65536",
            "subgid": f"pv-test:{SUBORDINATE_ID}:65536",
        }
        mounts = ""
        for name, entry in entries.items():
            original = pathlib.Path("/etc", name).read_text(encoding="utf-8")
            (self.folder / name).write_text(original + entry + "\n", encoding="utf-8")
            mounts += f"mount --bind '{self.folder}/{name}' /etc/{name} && "
        os.chown(self.folder, USER_ID, USER_ID)
        os.chown(self.folder / "data", USER_ID, USER_ID)
        self.prefix = [
            "unshare", "-m", "sh", "-c", mounts + 'exec "$@"', "sh", "setpriv",
            f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups"]

    def start(self, *arguments):
        return subprocess.Popen(
            self.prefix + [PVCTL, "runtime", *arguments], env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments):
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def versions(self, name="minimal"):
        folder = self.store / name / "versions"
        return sorted(os.listdir(folder)) if folder.exists() else []


class BuildCase(unittest.TestCase):
    ordinary = False

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="pv-test-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        self.builder = Builder(folder, self.ordinary)

    def assert_one_line(self, result, status, *words):
        """One line that names the object, and maybe a hint."""
        lines = result.stderr.splitlines()
        self.assertEqual(result.returncode, status, result.stderr)
        lines = [line for line in lines if line.startswith(("pvctl: ", "hint: "))]
        self.assertTrue(lines and lines[0].startswith("pvctl: "), result.stderr)
        self.assertLessEqual(len(lines), 2, result.stderr)
        for word in words:
            self.assertIn(word, lines[0])


class UsageTest(BuildCase):
    def test_unknown_recipe(self):
        result = self.builder.run("build", "no-such-recipe")
        self.assert_one_line(result, 125, '"no-such-recipe"')
        self.assertIn("minimal", result.stderr)
        self.assertFalse(self.builder.store.exists())

    def test_broken_recipe(self):
        recipe = self.builder.folder / "broken.conf"
        recipe.write_text(BROKEN, encoding="utf-8")
        result = self.builder.run("build", f"--recipe-dir={self.builder.folder}", "broken")
        self.assert_one_line(result, 125, f'"{recipe}"', '"variant"')
        self.assertFalse(self.builder.store.exists())

    def test_command_line(self):
        for arguments in (["build"], ["build", "a", "b"], ["build", "--nonsense", "minimal"],
                          ["build", "--layout=flat", "minimal"], ["nonsense"], [], ["list", "x"],
                          ["build", "--version=../x", "minimal"], ["list", "--store"]):
            with self.subTest(arguments):
                result = self.builder.run(*arguments)
                self.assert_one_line(result, 2)
                self.assertEqual(result.stdout, "")

    def test_help(self):
        for arguments in (["--help"], ["build", "--help"], ["list", "--help"], ["list", "-h"]):
            result = self.builder.run(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertTrue(result.stdout.startswith("Usage:"))

    def test_no_store(self):
        result = self.builder.run("list")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        result = self.builder.run("list", "--json")
        self.assertEqual(json.loads(result.stdout), [])

    def test_no_output_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([PVCTL, "runtime", "list", "--json"], check=False, text=True,
                                    env=self.builder.environment, stdout=full,
                                    stderr=subprocess.PIPE)
        self.assert_one_line(result, 125)

    def test_missing_program(self):
        self.builder.environment["PV_LAUNCH_LIBEXECDIR"] = "/nonexistent"
        self.assert_one_line(self.builder.run("build", "minimal"), 125,
                             '"/nonexistent/pv-runtime-build"')

    def test_missing_mmdebstrap(self):
        self.builder.environment["PATH"] = "/nonexistent"
        program = shutil.which(PVCTL)
        pretend = self.builder.folder / "recipes"
        pretend.mkdir()
        self.builder.environment["PATH"] = str(pretend)
        # The system's folders are searched last, so mmdebstrap has to be hidden by one that fails.
        (pretend / "mmdebstrap").write_text("#!/bin/sh\necho E: no luck >&2\nexit 3\n",
                                            encoding="utf-8")
        (pretend / "mmdebstrap").chmod(0o755)
        result = subprocess.run([program, "runtime", "build", "minimal"], check=False, text=True,
                                env=self.builder.environment, capture_output=True)
        self.assert_one_line(result, 125, '"minimal"', "minimal.conf", "no luck")
        self.assertEqual(self.builder.versions(), [])


class RootTest(BuildCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become an ordinary user who exists nowhere else")
        super().setUp()
        if why_no_build() is not None:
            self.skipTest(why_no_build())

    def assert_built(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("\r", result.stderr)
        version = pathlib.Path(result.stdout.rstrip("\n"))
        self.assertEqual(version.parent.parent.parent, self.builder.store)
        return version

    def check_tree(self, files):
        size = 0
        for folder, _, names in os.walk(files):
            mode = os.stat(folder).st_mode
            self.assertEqual(mode & 0o7700, 0o700, folder)
            for name in names:
                info = os.lstat(os.path.join(folder, name))
                self.assertIn(stat.S_IFMT(info.st_mode), (stat.S_IFREG, stat.S_IFLNK), name)
                self.assertEqual(info.st_mode & 0o7000, 0, name)
                if self.ordinary:
                    self.assertEqual(info.st_uid, USER_ID, name)
                size += info.st_size
        self.assertLess(size, 100_000_000)

    def check_ref(self, files):
        info = os.lstat(files / ".ref")
        self.assertEqual(info.st_mode, stat.S_IFREG | 0o644)
        self.assertEqual((info.st_size, info.st_nlink), (0, 1))

    def test_usr(self):
        started = time.monotonic()
        version = self.assert_built(self.builder.run("build", "minimal"))
        self.assertLess(time.monotonic() - started, 60)
        files = version / "files"
        self.check_tree(files)
        self.check_ref(files)
        for name in ("bin/sh", "bin/ls", "etc/ld.so.cache", "etc/debian_version", "lib/os-release"):
            self.assertTrue((files / name).exists(), name)
        for name in ("usr", "dev", "var", "etc/hostname", "etc/resolv.conf"):
            self.assertFalse(os.path.lexists(files / name), name)
        link = self.builder.store / "minimal/files"
        self.assertEqual(os.readlink(link), f"versions/{version.name}/files")

        with open(version / "runtime.json", encoding="utf-8") as stream:
            metadata = json.load(stream)
        self.assertEqual(metadata["name"], "minimal")
        self.assertEqual(metadata["version"], version.name)
        self.assertEqual(metadata["layout"], "usr")
        self.assertEqual(metadata["suite"], "bookworm")
        self.assertRegex(metadata["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for key in ("architecture", "source"):
            self.assertTrue(metadata[key])
        self.check_list(version)

    def check_list(self, first):
        second = self.assert_built(self.builder.run("build", "--version=1.2", "minimal"))
        self.assertEqual(second.name, "1.2")
        result = self.builder.run("list")
        lines = [line.split() for line in result.stdout.splitlines()]
        self.assertEqual(lines, [
            ["NAME", "VERSION", "LAYOUT", "PATH"],
            ["minimal", "1.2", "usr", str(self.builder.store / "minimal")],
            ["minimal", first.name, "usr", str(first)]])
        entries = json.loads(self.builder.run("list", "--json").stdout)
        self.assertEqual([(entry["version"], entry["current"], entry["problem"])
                          for entry in entries],
                         [("1.2", True, None), (first.name, False, None)])
        again = self.builder.run("build", "--version=1.2", "minimal")
        self.assert_one_line(again, 125, "versions/1.2")

    def test_root_layout(self):
        version = self.assert_built(
            self.builder.run("build", "--layout=root", "--name=complete", "minimal"))
        files = version / "files"
        self.check_tree(files)
        self.check_ref(files)
        self.assertTrue((files / "usr/bin/sh").exists())
        self.assertEqual(os.readlink(files / "bin"), "usr/bin")
        for name in ("dev", "proc", "run", "sys", "tmp"):
            self.assertEqual(os.listdir(files / name), [], name)
        self.assertFalse(os.path.lexists(files / "etc/hostname"))
        self.assertEqual(json.loads(self.builder.run("list", "--json").stdout)[0]["layout"], "root")

    def wait_for_staging(self, process, filled):
        """Until the staging folder is there; if @filled, until something is in it."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            for name in self.builder.versions():
                folder = self.builder.store / "minimal/versions" / name / "files"
                if not filled or (folder.exists() and len(os.listdir(folder)) > 1):
                    return
            time.sleep(0.002)
        self.fail("the build has ended before it could be killed")

    def builder_pid(self, process):
        """exec all the way, so it is the pid of pv-runtime-build."""
        comm = pathlib.Path(f"/proc/{process.pid}/comm").read_text(encoding="utf-8")
        self.assertEqual(comm.strip(), "pv-runtime-build"[:15])
        return process.pid

    def kill(self, number, filled):
        with self.builder.start("build", "minimal") as process:
            self.wait_for_staging(process, filled)
            os.kill(self.builder_pid(process), number)
            # mmdebstrap may hold the pipe for a moment longer.
            process.wait(timeout=TIMEOUT)
            err = process.stderr.read()
        return process.returncode, err

    def test_terminate(self):
        for number, filled in ((signal.SIGTERM, False), (signal.SIGINT, False),
                               (signal.SIGHUP, True), (signal.SIGTERM, True)):
            with self.subTest(signal=number, filled=filled):
                status, err = self.kill(number, filled)
                self.assertEqual(status, 128 + number, err)
                self.assertEqual(self.builder.versions(), [])
                self.assertFalse(os.path.lexists(self.builder.store / "minimal/files"))
                self.assertEqual(os.listdir(self.builder.environment["TMPDIR"]), [])

    def test_kill(self):
        for filled in (False, True):
            status, _ = self.kill(signal.SIGKILL, filled)
            self.assertEqual(status, -signal.SIGKILL)
            for name in self.builder.versions():
                self.assertTrue(name.startswith(".new-"), name)
            self.assertEqual(json.loads(self.builder.run("list", "--json").stdout), [])
        version = self.assert_built(self.builder.run("build", "minimal"))
        self.assertEqual(self.builder.versions(), [version.name])

    def test_two_at_once(self):
        with self.builder.start("build", "minimal") as first:
            second = self.assert_built(self.builder.run("build", "minimal"))
            out, err = first.communicate(timeout=TIMEOUT)
        self.assertEqual(first.returncode, 0, err)
        names = sorted([second.name, pathlib.Path(out.strip()).name])
        self.assertEqual(self.builder.versions(), names)
        self.assertEqual(len(set(names)), 2)

    def test_bad_package(self):
        folder = self.builder.folder / "recipes"
        folder.mkdir()
        (folder / "odd.conf").write_text(
            BROKEN.replace("tiny", "extract") + "[Packages]\na=no-such-package\n", encoding="utf-8")
        result = self.builder.run("build", f"--recipe-dir={folder}", "odd")
        self.assert_one_line(result, 125, '"odd"', "odd.conf", "no-such-package")
        self.assertEqual(self.builder.versions("odd"), [])


class UserTest(RootTest):
    ordinary = True

    def test_unwritable_store(self):
        store = self.builder.folder / "foreign"
        store.mkdir()
        result = self.builder.run("build", f"--store={store}", "minimal")
        self.assert_one_line(result, 125, f"{store}")
        self.assertEqual(os.listdir(store), [])

    def test_no_subordinate_ids(self):
        (self.builder.folder / "subuid").write_text("", encoding="utf-8")
        result = self.builder.run("build", "minimal")
        self.assert_one_line(result, 125, '"minimal"')
        self.assertIn("hint: /etc/subuid has no entry for pv-test", result.stderr)
        self.assertEqual(self.builder.versions(), [])


if __name__ == "__main__":
    harness.main()
