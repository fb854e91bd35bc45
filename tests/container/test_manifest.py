#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runtimes that are shipped as a manifest, and deployed once."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import stat

import depot
import harness
import manifest_case


class TreeTest(manifest_case.ManifestCase):
    """What is deployed, and what it is deployed from."""

    def check_tree(self, base):
        usr = base / "usr"
        self.assertEqual(os.readlink(base / ".ref"), "usr/.ref")
        ref = (usr / ".ref").lstat()
        self.assertTrue(stat.S_ISREG(ref.st_mode))
        self.assertEqual((ref.st_nlink, ref.st_size), (1, 0))
        self.assertNotEqual(ref.st_ino, (self.files / ".ref").stat().st_ino)
        self.assertEqual(os.readlink(usr / "bin/sh"), "probe")
        self.assertEqual(os.readlink(os.fsencode(usr) + b"/share/link\n"), b"\xff \n#=\\/a b")
        self.assertEqual((usr / os.fsdecode(b"share/\xff \n#=\\/a b")).read_text(), "odd")
        self.assertEqual((usr / "etc/empty").stat().st_size, 0)
        self.assertTrue((usr / "empty/folder").is_dir())
        self.assertEqual((usr / "lib").stat().st_mtime, 1)
        self.assertEqual(stat.S_IMODE((usr / "lib").stat().st_mode), 0o755)
        self.assertEqual(stat.S_IMODE((usr / "bin/probe").stat().st_mode), 0o755)
        self.assertEqual(stat.S_IMODE((usr / "marker").stat().st_mode), 0o644)

    def test_deployed(self):
        for compressed in (True, False):
            with self.subTest(compressed=compressed):
                self.make_depot(compressed)
                self.assert_marker(self.launch())
                base = self.get_base()
                manifest = self.depot / ("usr-mtree.txt.gz" if compressed else "usr-mtree.txt")
                self.assertEqual(os.readlink(base / "manifest"), str(manifest))
                self.check_tree(base)
                self.assertEqual((base / "usr/marker").stat().st_ino,
                                 (self.files / "marker").stat().st_ino)
                harness.remove_tree(self.depot)
                harness.remove_tree(self.parent)

    def test_real_runtime(self):
        depot.make(self.get_runtime("debian13"), self.depot)
        result = self.launch("sh", "-c", "cat /etc/debian_version && ls -l /bin/sh | cat")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.text, r"^(13\.|trixie).*\n.*/bin/sh -> ")
        self.assert_works(self.launch("true", options=["--verify"]))
        self.get_base()

    def test_all_strategies(self):
        self.make_depot()
        os.setxattr(self.files / "marker", "user.test", b"value")
        before, _ = manifest_case.describe_source(self.files)
        for strategy in ("overlay", "hardlink", "copy"):
            result = self.launch(options=[f"--copy-strategy={strategy}"])
            self.assert_marker(result)
            harness.wait_until(lambda: len(self.ls_parent()) == 2)
            self.wait_for_children()
        result = self.launch("probe", "write", "/usr/marker",
                             options=["--writable-copy", "--copy-strategy=overlay"])
        self.assertEqual((result.text, result.err), ("written\n", ""))
        self.check_tree(self.get_base())
        self.assertEqual(manifest_case.describe_source(self.files)[0], before)

    def test_source_is_not_changed(self):
        """Another mode or time needs a file of its own; a link changes nothing but its count."""
        lines = self.make_depot()
        os.setxattr(self.files / "marker", "user.test", b"value")
        data = self.files / "lib/deep/data"
        data.chmod(0o4711)
        os.utime(self.files / "marker", (5, 5))
        (self.files / "bin/probe").chmod(0o777)
        before, links = manifest_case.describe_source(self.files)
        self.assert_marker(self.launch())
        after, links_after = manifest_case.describe_source(self.files)
        self.assertEqual(after, before)
        changed = {path for path, link in links.items() if links_after[path] != link}
        self.assertEqual([path.name for path in changed], ["a b"])
        for path in changed:
            self.assertEqual(links_after[path][0], links[path][0] + 1)
        usr = self.get_base() / "usr"
        self.assertEqual(stat.S_IMODE((usr / "lib/deep/data").stat().st_mode), 0o644)
        self.assertEqual(stat.S_IMODE((usr / "bin/probe").stat().st_mode), 0o755)
        [line] = [line for line in lines if line.startswith(b"./marker ")]
        seconds, _, nanoseconds = re.search(rb"time=(\d+)(.)(\d+)", line).groups()
        self.assertEqual((usr / "marker").stat().st_mtime_ns,
                         int(seconds) * 10 ** 9 + int(nanoseconds))

    def test_keywords(self):
        self.make_depot()
        odd = self.files / "odd"
        odd.write_text("12345")
        odd.chmod(0o600)
        (self.files / "store").mkdir()
        (self.files / "store/abc").write_text("first")
        self.write("#mtree", "/set type=file mode=644 uid=0",
                   "./marker contents=./store/abc size=5", "./bin/probe mode=0755 unknown=x", "",
                   "  # a comment", "./missing optional size=9", "/unset mode",
                   "./odd nochange time=7.0", "./both/parents/new size=0 \\",
                   "  time=3.000000004", "./spool type=dir ignore", "./late type=link link=\\057x")
        self.assert_marker(self.launch(options=["--verify"]))
        base = self.get_base()
        usr = base / "usr"
        self.assertEqual(sorted(os.listdir(usr)),
                         [".ref", "bin", "both", "late", "marker", "odd", "spool"])
        self.assertEqual((usr / "odd").stat().st_ino, odd.stat().st_ino)
        self.assertEqual((usr / "both/parents/new").stat().st_mtime_ns, 3 * 10 ** 9 + 4)
        self.assertEqual(os.readlink(usr / "late"), "/x")
        (usr / "spool/anything").touch()
        self.assert_marker(self.launch(options=["--verify"]))

    def test_twenty(self):
        self.make_depot()
        for _ in range(20):
            self.assert_marker(self.launch())
        base = self.get_base()
        inode = base.stat().st_ino
        os.utime(self.depot / "usr-mtree.txt.gz")
        self.assert_marker(self.launch())
        self.assertEqual(len(self.list_parent()), 3, "another manifest, another base")
        self.gc()
        self.assertNotEqual(self.get_base().stat().st_ino, inode)

    def test_status(self):
        self.make_depot()
        events = []
        for _ in range(2):
            reader, writer = os.pipe()
            result = self.launch(options=[f"--status-fd={writer}"], pass_fds=[writer])
            os.close(writer)
            self.assert_marker(result)
            with os.fdopen(reader) as file:
                events.append([json.loads(line) for line in file])
        names = [[event["event"] for event in launch] for launch in events]
        self.assertEqual([launch.count("deployed") for launch in names], [1, 0])
        [event] = [event for event in events[0] if event["event"] == "deployed"]
        self.assertEqual(event["manifest"], str(self.depot / "usr-mtree.txt.gz"))
        self.assertGreater(event["seconds"], 0)


class DirectTest(manifest_case.ManifestCase):
    """Without a mutable copy."""

    def direct(self, *options):
        return self.run_launch("--runtime=scout", *options, "--", "probe", "cat", "/usr/marker")

    def test_refused(self):
        self.make_depot()
        for options in ((), ("--dry-run",)):
            result = self.direct(*options)
            self.assert_failed(result, '"scout"', f'"{self.depot}/usr-mtree.txt.gz"')
            self.assertIn("--runtime-mutable-parent", result.lines[1])

    def test_all_files_are_there(self):
        self.make_depot()
        self.assert_marker(self.launch())
        base = self.get_base()
        shutil.rmtree(self.files)
        shutil.copytree(base / "usr", self.files, symlinks=True)
        self.assert_marker(self.direct())

    def test_dry_run(self):
        self.make_depot()
        result = self.direct("--dry-run", self.option)
        self.assertEqual(result.status, 0)
        [line] = result.lines
        self.assertIn("is shipped as a manifest", line)
        self.assertFalse(self.parent.exists())

    def test_no_manifest_of_this(self):
        """Beside something that is not called files, or for a complete root."""
        files = self.make_runtime("other/root")
        (self.work / "other/usr-mtree.txt").write_text("garbage")
        self.assert_marker(self.run_launch(f"--runtime={files}", "--", "probe", "cat",
                                           "/usr/marker"))

    def test_no_file(self):
        self.make_depot()
        manifest = self.depot / "usr-mtree.txt.gz"
        manifest.rename(self.depot / "elsewhere")
        manifest.symlink_to("elsewhere")
        self.assert_failed(self.launch(), str(manifest), "not a regular file")
        manifest.unlink()
        os.mkfifo(manifest)
        self.assert_failed(self.launch(), str(manifest), "not a regular file")

    def test_verify_needs_more(self):
        self.make_runtime()
        self.assert_failed(self.direct("--verify"), "--verify", "--runtime-mutable-parent")
        result = self.launch(options=["--verify"])
        self.assertEqual((result.status, result.text), (0, "first"))
        self.assertIn("has no manifest", result.err)


class VerifyTest(manifest_case.ManifestCase):
    def setUp(self):
        super().setUp()
        self.make_depot()

    def verify(self):
        return self.launch(options=["--verify"])

    def replace(self, path, text, mode=0o644):
        path.unlink()
        path.write_text(text)
        path.chmod(mode)

    def test_damaged_base(self):
        self.assert_marker(self.verify())
        self.assert_marker(self.verify())
        usr = self.get_base() / "usr"

        def link():
            (usr / "bin/sh").unlink()
            (usr / "bin/sh").symlink_to("other")

        def more():
            (usr / "etc/empty").unlink()
            (usr / "new").mkdir()

        for change, name, reason, count in (
                (lambda: self.replace(usr / "marker", "fIrst"), "marker", "digest", 1),
                (lambda: self.replace(usr / "marker", "longer"), "marker", "6 bytes, not 5", 1),
                (lambda: self.replace(usr / "marker", "first", 0o755), "marker", "executable", 1),
                ((usr / "bin/probe").unlink, "bin/probe", "missing", 1),
                (link, "bin/sh", '"other", not to "probe"', 1),
                ((usr / "lib/new").touch, "lib/new", "nothing of that name", 1),
                ((usr / "empty/folder").rmdir, "empty/folder", "missing", 1),
                (more, "etc/empty", "missing", 2),
        ):
            with self.subTest(reason):
                change()
                result = self.verify()
                self.assert_failed(result, str(usr), f'"{name}"', reason, f"in all: {count})")
                self.assertIn("delete it", result.lines[1])
                harness.remove_tree(self.parent)
                self.assert_marker(self.verify())
                usr = self.get_base() / "usr"

    def test_damaged_source(self):
        marker = self.files / "marker"
        st = marker.stat()
        marker.write_text("fIrst")
        os.utime(marker, ns=(st.st_mtime_ns, st.st_mtime_ns))
        result = self.verify()
        self.assert_failed(result, '"marker"', "digest")
        self.assertEqual(self.list_parent(), [".ref"])
        self.assertEqual(self.launch().text, "fIrst")

    def test_lock_is_free_meanwhile(self):
        """No cleaner is kept away by somebody who reads a gigabyte."""
        harness.remove_tree(self.depot)
        self.make_large_depot()
        self.assert_marker(self.launch())
        process = self.start("--runtime=scout", self.option, "--verify", "--", "probe", "cat",
                             "/usr/marker")
        deployer = self.catch_deployer(process)
        os.kill(deployer, signal.SIGSTOP)
        self.assertTrue(harness.try_lock(self.parent / ".ref", fcntl.F_WRLCK))
        self.assertFalse(harness.try_lock(self.get_base() / ".ref", fcntl.F_WRLCK))
        os.kill(deployer, signal.SIGCONT)
        self.assert_marker(self.finish(process))


class FilesystemTest(manifest_case.ManifestCase):
    def setUp(self):
        super().setUp()
        self.make_depot()

    def test_other_filesystem(self):
        """Copies, and one line about it."""
        self.parent.mkdir()
        before, links = manifest_case.describe_source(self.files)
        command = harness.in_mount_namespace(
            f'mount -t tmpfs none "{self.parent}"',
            ["sh", "-c", f'"$@" && "$@" 2>&1 && ls -A "{self.parent}" '
                         f'&& stat -c %h "{self.parent}"/base-*/usr/marker', "sh"])
        result = self.finish(self.start("--runtime=scout", self.option, "--", "probe", "cat",
                                        "/usr/marker", command=[*command, harness.PV_LAUNCH]))
        self.assertEqual(result.status, 0, result.err)
        self.assertRegex(result.text, r"^firstfirst\.ref\nbase-[0-9a-f]+\n1\n$")
        [line] = [line for line in result.lines]
        self.assertIn("could not be linked, and were copied: Invalid cross-device link", line)
        self.assertEqual(manifest_case.describe_source(self.files), (before, links))

    def test_foreign_files(self):
        """protected_hardlinks: root's files cannot be linked by others."""
        if not harness.is_root():
            self.skipTest("only root can become an ordinary user who exists nowhere else")
        if open("/proc/sys/fs/protected_hardlinks", encoding="ascii").read().strip() != "1":
            self.skipTest("anybody may link any file here: protected_hardlinks is off")
        self.parent.mkdir()
        for path in (self.parent, self.folder / "home", self.folder / "session", self.work):
            os.chown(path, harness.ORDINARY_UID, harness.ORDINARY_UID)
        self.environment["XDG_STATE_HOME"] = str(self.work / "state")
        command = [*harness.as_ordinary_user([]), harness.PV_LAUNCH]
        before, links = manifest_case.describe_source(self.files)
        results = [self.finish(self.start("--runtime=scout", self.option, "--", "probe", "cat",
                                          "/usr/marker", command=command)) for _ in range(2)]
        self.assertEqual([result.text for result in results], ["first", "first"])
        self.assertEqual([len(result.lines) for result in results], [1, 0], results[0].err)
        self.assertIn("Operation not permitted", results[0].err)
        self.assertEqual(manifest_case.describe_source(self.files), (before, links))

    def test_full(self):
        self.parent.mkdir()
        (self.files / "marker").write_bytes(os.urandom(2 ** 21))
        depot.write_manifest(self.depot, depot.list_lines(self.files))
        command = harness.in_mount_namespace(
            f'mount -t tmpfs -o size=1m none "{self.parent}"',
            ["sh", "-c", f'"$@"; s=$?; ls -A "{self.parent}"; exit $s', "sh"])
        result = self.finish(self.start("--runtime=scout", self.option, "--", "probe", "exit", "0",
                                        command=[*command, harness.PV_LAUNCH]))
        self.assertEqual(result.status, 125)
        self.assertIn("No space left on device", result.lines[-1])
        self.assertEqual(result.text, ".ref\n")

    def test_awkward_names(self):
        for name in ("with,comma", "with:colon", "with\\backslash", "with blank", "with\nline"):
            with self.subTest(name):
                folder = self.work / name
                self.depot.rename(folder)
                parent = self.work / (name + "-parent")
                for _ in range(2):
                    result = self.run_launch(f"--runtime={folder}",
                                             f"--runtime-mutable-parent={parent}", "--", "probe",
                                             "cat", "/usr/marker")
                    self.assert_marker(result)
                self.assertEqual(len(os.listdir(parent)), 2)
                folder.rename(self.depot)


class OthersTest(manifest_case.ManifestCase):
    def test_base_of_another_user(self):
        """Whoever can write to the parent can know how it is called."""
        if not harness.is_root():
            self.skipTest("only root can become an ordinary user who exists nowhere else")
        self.make_depot()
        self.assert_works(self.launch())
        base = self.get_base()
        for path in (base, base / "usr"):
            os.chown(path, harness.ORDINARY_UID, -1)
            result = self.launch()
            self.assert_failed(result, base.name, "belongs to another user")
            os.chown(path, 0, -1)
        self.assert_works(self.launch())

    def test_manifest_is_replaced_meanwhile(self):
        """What was read then is not used."""
        self.make_depot(compressed=False)
        manifest = self.depot / "usr-mtree.txt"
        helpers = self.work / "helpers"
        helpers.mkdir()
        source = os.environ.get("PV_LAUNCH_LIBEXECDIR")
        if not source:
            self.skipTest("PV_LAUNCH_LIBEXECDIR is not set")
        (helpers / "pv-supervise").symlink_to(f"{source}/pv-supervise")
        (helpers / "pv-deploy").write_text(f"#!/bin/sh\nsleep 0.01\necho '#' >>'{manifest}'\n"
                                           f"exec '{source}/pv-deploy' \"$@\"\n")
        (helpers / "pv-deploy").chmod(0o755)
        result = self.launch(environment={"PV_LAUNCH_LIBEXECDIR": str(helpers)})
        self.assertEqual(result.status, 125)
        self.assertIn("replaced meanwhile", result.err)
        self.assertEqual(self.list_parent(), [".ref"])


class MountedTest(manifest_case.ManifestCase):
    def test_copy_in_the_trash(self):
        """While somebody has it mounted, what it was made from stays, though nobody has a lock."""
        self.make_depot()
        process = self.start_waiting("--runtime=scout", self.option, "--copy-strategy=overlay",
                                     probe=("background", "nothing", "100000", "5"))
        supervisors = harness.find_supervisors(process.pid)
        inside = harness.list_descendants(supervisors[1])
        harness.wait_until(lambda: any(os.getsid(pid) == pid for pid in inside))
        [child] = [pid for pid in inside if os.getsid(pid) == pid]
        for pid in (supervisors[1], *(set(inside) - {child})):
            harness.kill(pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        copy, = self.parent.glob("tmp-*")
        base, = self.parent.glob("base-*")
        for path in self.depot.glob("usr-mtree*"):
            path.unlink()
        copy.rename(self.parent / ".trash-XXXXXX")
        self.gc()
        self.assertTrue(base.exists())
        self.assertTrue(os.path.exists(f"/proc/{child}/root/usr/marker"))
        harness.kill(child)
        harness.wait_until(lambda: not harness.list_descendants(os.getpid()))
        self.gc()
        self.assertEqual(self.list_parent(), [".ref"])


class ProgressTest(manifest_case.ManifestCase):
    def test_terminal(self):
        self.make_depot()
        main, other = pty.openpty()
        process = self.start("--runtime=scout", self.option, "--", "probe", "exit", "0",
                             stderr=other, environment={"TERM": "xterm"})
        os.close(other)
        text = b""
        with contextlib.suppress(OSError):
            while data := os.read(main, 4096):
                text += data
        os.close(main)
        self.assertEqual(self.finish(process).status, 0)
        self.assertIn(b"\rscout: deploying [", text)
        self.assertIn(b" % (", text)
        self.assertTrue(text.endswith(b"\r\x1b[K"), text)

    def test_no_terminal(self):
        self.make_depot()
        self.assert_marker(self.launch(environment={"TERM": "xterm"}))


if __name__ == "__main__":
    harness.main()
