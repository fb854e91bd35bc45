#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runtimes that are shipped as a manifest, and deployed once."""

import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import stat
import subprocess
import time

import depot
import harness
import strace

PVCTL = os.environ.get("PVCTL") or shutil.which("pvctl") or "pvctl"
THOROUGH = os.environ.get("PV_TEST_THOROUGH") == "1"

BASE = re.compile(r"^base-[0-9a-f]{32}$")
STAGED = re.compile(r"^\.new-[0-9a-f]{32}$")


def describe_source(folder):
    """All that must not change; and what only links may change."""
    found, links = {}, {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        st = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(st.st_mode) else None
        attributes = {name: os.getxattr(path, name, follow_symlinks=False)
                      for name in os.listxattr(path, follow_symlinks=False)}
        found[path] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ino, content,
                       attributes)
        links[path] = (st.st_nlink, st.st_ctime_ns)
    return found, links


class ManifestCase(harness.Case):
    timeout = 120

    def setUp(self):
        super().setUp()
        self.environment["XDG_STATE_HOME"] = str(self.folder / "state")
        self.depot = self.work / "scout"
        self.files = self.depot / "files"
        self.parent = self.work / "parent"
        self.option = f"--runtime-mutable-parent={self.parent}"
        self.runtimes.append(self.files / ".ref")

    def make_depot(self, compressed=True):
        """Of a runtime with one of each kind of file."""
        source = self.make_runtime("source")
        (source / "marker").chmod(0o644)
        for name in ("lib/deep", "empty/folder", os.fsdecode(b"share/\xff \n#=\\")):
            (source / name).mkdir(parents=True)
        (source / "etc").mkdir()
        (source / "etc/empty").touch()
        (source / "bin/sh").symlink_to("probe")
        (source / "lib/deep/data").write_text("data")
        (source / os.fsdecode(b"share/\xff \n#=\\/a b")).write_text("odd")
        (source / os.fsdecode(b"share/link\n")).symlink_to(os.fsdecode(b"\xff \n#=\\/a b"))
        os.utime(source / "lib", (1, 1))
        lines = depot.make(source, self.depot, compressed)
        shutil.rmtree(source)
        self.runtimes.remove(source / ".ref")
        return lines

    def make_large_depot(self):
        """With enough in it that one can be there in time."""
        depot.make(self.get_runtime("minimal"), self.depot)
        (self.files / "marker").write_text("first")
        shutil.copy(harness.PROBE, self.files / "bin/probe")
        lines = [line for line in depot.read_manifest(self.depot) if line]
        for name in ("marker", "bin/probe"):
            words = depot.describe(self.files / name)
            lines.append(b" ".join([b"./" + name.encode(), *words]))
        depot.write_manifest(self.depot, lines)

    def write(self, *lines, compressed=False):
        """A manifest; in the form of bytes or of text."""
        return depot.write_manifest(
            self.depot, [line.encode() if isinstance(line, str) else line for line in lines],
            compressed)

    def launch(self, *words, options=(), **others):
        """The program prints what the runtime has."""
        return self.run_launch("--runtime=scout", self.option, *options, "--",
                               *(words or ("probe", "cat", "/usr/marker")), **others)

    def list_parent(self):
        return sorted(os.listdir(self.parent))

    def get_base(self):
        """All that is there but for the lock file."""
        ref, base = self.list_parent()
        self.assertEqual(ref, ".ref")
        self.assertRegex(base, BASE)
        return self.parent / base

    def assert_marker(self, result):
        self.assertEqual((result.status, result.text, result.err), (0, "first", ""))

    def gc(self, *options):
        result = self.finish(self.start(f"--parent={self.parent}", *options,
                                        command=[PVCTL, "gc"]))
        self.assertEqual((result.status, result.err), (0, ""))
        return result.text

    def find_deployer(self, pid):
        """The pid of pv-deploy, if it runs."""
        for child in harness.list_descendants(pid):
            with contextlib.suppress(OSError):
                with open(f"/proc/{child}/cmdline", "rb") as file:
                    if file.read().startswith(b"pv-deploy\0"):
                        return child
        return None

    def catch_deployer(self, process):
        """The pid of pv-deploy as soon as it runs; None if it was faster."""
        deployer = None
        while deployer is None and process.poll() is None:
            deployer = self.find_deployer(process.pid)
        return deployer

    def try_to_stop(self, process):
        deployer = self.catch_deployer(process)
        if deployer is None:
            return None
        while not any(map(STAGED.match, self.ls_parent())) and process.poll() is None:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.kill(deployer, signal.SIGSTOP)
            if any(map(STAGED.match, self.ls_parent())):
                return deployer
            os.kill(deployer, signal.SIGCONT)
        return None

    def start_stopped(self):
        """A launch that has begun to deploy, and its deployer, which is stopped."""
        while True:
            process = self.start("--runtime=scout", self.option, "--", "probe", "cat",
                                 "/usr/marker")
            deployer = self.try_to_stop(process)
            if deployer is not None:
                return process, deployer
            # It was faster.
            self.finish(process)
            harness.remove_tree(self.parent)

    def ls_parent(self):
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self.parent)
        return []


class TreeTest(ManifestCase):
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
        before, _ = describe_source(self.files)
        for strategy in ("overlay", "hardlink", "copy"):
            result = self.launch(options=[f"--copy-strategy={strategy}"])
            self.assert_marker(result)
            harness.wait_until(lambda: len(self.ls_parent()) == 2)
            self.wait_for_children()
        result = self.launch("probe", "write", "/usr/marker",
                             options=["--writable-copy", "--copy-strategy=overlay"])
        self.assertEqual((result.text, result.err), ("written\n", ""))
        self.check_tree(self.get_base())
        self.assertEqual(describe_source(self.files)[0], before)

    def test_source_is_not_changed(self):
        """Another mode or time needs a file of its own; a link changes nothing but its count."""
        lines = self.make_depot()
        os.setxattr(self.files / "marker", "user.test", b"value")
        data = self.files / "lib/deep/data"
        data.chmod(0o4711)
        os.utime(self.files / "marker", (5, 5))
        (self.files / "bin/probe").chmod(0o777)
        before, links = describe_source(self.files)
        self.assert_marker(self.launch())
        after, links_after = describe_source(self.files)
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
        self.write("#mtree", "/set type=file mode=644 uid=0", "./marker contents=./store/abc size=5",
                   "./bin/probe mode=0755 unknown=x", "", "  # a comment", "./missing optional size=9",
                   "/unset mode", "./odd nochange time=7.0", "./both/parents/new size=0 \\",
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


class DirectTest(ManifestCase):
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


class HostileTest(ManifestCase):
    """Whatever a manifest says, or a source has: one line, and nothing is left."""

    def setUp(self):
        super().setUp()
        self.lines = self.make_depot()

    def refused(self, *words, **others):
        result = self.launch(**others)
        left = self.list_parent()
        harness.remove_tree(self.parent)
        self.assert_failed(result, *words)
        self.assertEqual(left, [".ref"])
        self.assertEqual(result.lines[0].count("pv-launch: "), 1)

    def test_lines(self):
        os.symlink("/etc", self.files / "out")
        (self.work / "victim").mkdir()
        (self.work / "victim/file").write_text("victim")
        (self.files / "outside").symlink_to(self.work / "victim")
        os.mkfifo(self.files / "pipe")
        for lines, words in (
                (["/etc/passwd type=file size=5"], ["line 1", "absolute"]),
                (["./../x type=file size=0"], ["line 1", '".."']),
                (["./x/../../y type=file size=0"], ["line 1", '".."']),
                (["./\\056\\056/x type=file size=0"], ["line 1", '".."']),
                (["./x\\057.. type=dir"], ["line 1", '".."']),
                (["relative type=file"], ["line 1", '"relative"']),
                (["./a type=link link=/etc", "./a/passwd type=file size=0"], ["line 2", '"a"']),
                (["./a/b type=file size=0", "./a type=link link=b"], ["line 1", '"a"']),
                (["./a type=file size=0", "./a/b/c type=dir"], ["line 2", '"a"']),
                (["./outside/file type=file"], ["line 1", "through a link"]),
                (["./x type=file contents=outside/file"], ["line 1", "through a link"]),
                (["./x type=file contents=/etc/passwd"], ["line 1", "absolute"]),
                (["./x type=file contents=../victim"], ["line 1", '".."']),
                (["./out type=file"], ["line 1", "not a file"]),
                (["./pipe type=file"], ["line 1", "not a file"]),
                (["./null type=char device=1"], ["line 1", '"char"']),
                (["./null type=fifo"], ["line 1", '"fifo"']),
                (["./a type=dir", "./b type=dir", "./a type=dir"], ["line 3", "line 1"]),
                (["./x"], ["line 1", "no type"]),
                (["./x type=link"], ["line 1", "leads nowhere"]),
                ([". type=file"], ["line 1", "top"]),
                (["./x type=file size=-1"], ["line 1", '"-1"']),
                (["./x type=file size=99999999999999999999"], ["line 1", "number"]),
                (["./x type=file mode=9"], ["line 1", '"9"']),
                (["./x type=file time=yesterday"], ["line 1", '"yesterday"']),
                (["./x type=file sha256=abc"], ["line 1", "digest"]),
                (["./x type=file size"], ["line 1", "no value"]),
                (["./x\\q type=file"], ["line 1", "escape"]),
                (["./x\\000y type=file"], ["line 1", "escape"]),
                ([b"./x\0y type=file"], ["line 1", "NUL"]),
                (["./" + "x" * 300 + " type=dir"], ["line 1", "File name too long"]),
                (["./" + "x/" * 2048 + "x type=dir"], ["line 1", "too long"]),
                (["./x type=dir " + "y" * 70000], ["line 1", "too long"]),
                (["./.ref/x type=file size=0"], ["line 1", '".ref" is not a folder']),
                (["./none type=file size=3"], ['line 1: "none"', f'missing in "{self.files}"']),
                (["./marker type=file size=6"], ['line 1: "marker"', "5 bytes, not 6"]),
                (["# nothing"], ["names no file"]),
        ):
            with self.subTest(lines[0][:60]):
                path = self.write(*lines)
                self.refused(f'"{path}"', *words)
        self.assertEqual((self.work / "victim/file").stat().st_nlink, 1)

    def test_lock_file(self):
        """Whatever it is said to be, it is our own."""
        for line in ("./.ref type=file size=5 contents=marker", "./.ref type=link link=marker",
                     "./.ref type=dir"):
            self.write("./marker type=file", "./bin/probe type=file", line)
            self.assert_marker(self.launch())
            ref = (self.get_base() / "usr/.ref").lstat()
            self.assertEqual((stat.S_IFMT(ref.st_mode), ref.st_size, ref.st_nlink),
                             (stat.S_IFREG, 0, 1))
            harness.remove_tree(self.parent)

    def test_damaged_archive(self):
        path = self.depot / "usr-mtree.txt.gz"
        whole = path.read_bytes()
        for data in (b"", whole[:-20], whole[:20], b"\x1f\x8b\x08garbage", random.randbytes(5000)):
            with self.subTest(data[:10]):
                path.write_bytes(data)
                self.refused(f'"{path}"')

    def test_huge(self):
        """A small archive that never ends, nearly."""
        path = self.write(*[b"#" + bytes(60000)] * 5000, compressed=True)
        self.assertLess(path.stat().st_size, 10 ** 6)
        self.refused(f'"{path}"')
        deep = "./" + "/".join(str(i % 10) for i in range(2000))
        path = self.write(*[f"{deep}{i} type=dir" for i in range(10)],
                          *[f"./{i}{deep[2:-3]} type=dir" for i in range(50)], compressed=True)
        self.refused(f'"{path}"')

    def test_unreadable(self):
        if os.geteuid() == 0 and not harness.is_root():
            self.skipTest("as uid 0 of a user namespace every file of one's own can be read")
        (self.depot / "usr-mtree.txt.gz").chmod(0)
        self.work.chmod(0o755)
        command = [*harness.as_ordinary_user([]), harness.PV_LAUNCH]
        self.assert_failed(self.launch(command=command), "usr-mtree.txt.gz", "Permission denied")

    def test_no_program(self):
        result = self.launch(environment={"PV_LAUNCH_LIBEXECDIR": str(self.work)})
        self.assert_failed(result, "pv-deploy")


class VerifyTest(ManifestCase):
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


class ManyTest(ManifestCase):
    """Many launches at once."""

    def test_exactly_one(self):
        self.make_large_depot()
        pipes = [os.pipe() for _ in range(8)]
        processes = [self.start("--runtime=scout", self.option, f"--status-fd={writer}", "--",
                                "probe", "exit", "0", pass_fds=[writer]) for _, writer in pipes]
        for _, writer in pipes:
            os.close(writer)
        n_deployed = 0
        for process, (reader, _) in zip(processes, pipes):
            result = self.finish(process)
            self.assertEqual(result.status, 0, result.err)
            self.assertLessEqual(len(result.lines), 1)
            for line in result.lines:
                self.assertRegex(line, r"^pv-launch: warning: Waiting up to 30 s for the lock ")
            with os.fdopen(reader) as file:
                n_deployed += file.read().count('"event":"deployed"')
        self.assertEqual(n_deployed, 1)
        self.assertEqual((self.files / "marker").stat().st_nlink, 2, "linked by one only")
        self.get_base()

    def test_waiting(self):
        """Who waits says for whom, once, and holds no lock of the parent; cleaners leave it."""
        self.make_large_depot()
        process, deployer = self.start_stopped()
        [staged] = [name for name in self.list_parent() if STAGED.match(name)]
        others = [self.start("--runtime=scout", self.option, "--", "probe", "exit", "0")
                  for _ in range(7)]
        for other in others:
            line = other.stderr.readline().decode()
            self.assertIn(f'Waiting up to 30 s for the lock "{self.parent}/{staged}/usr/.ref"', line)
            self.assertIn(f"process {deployer} (pv-deploy --manifest={self.depot}/usr-mtree", line)
        self.assertTrue(harness.try_lock(self.parent / ".ref", fcntl.F_WRLCK))
        self.assertIn(f"{staged}: in use by {deployer} (pv-deploy", self.gc())
        result = self.launch(options=["--lock-timeout=0.2"])
        self.assertEqual(result.status, 125)
        self.assertIn(f"process {deployer} (pv-deploy", result.lines[-2])
        self.assertIn("--lock-timeout", result.lines[-1])
        result = self.launch(options=["--lock-timeout=0"])
        self.assert_failed(result, f"process {deployer} (pv-deploy")
        os.kill(deployer, signal.SIGCONT)
        for each in [process, *others]:
            self.assert_works(self.finish(each))
        self.get_base()

    def test_deployer_is_killed(self):
        """One of those who wait starts over."""
        self.make_large_depot()
        process, deployer = self.start_stopped()
        others = [self.start("--runtime=scout", self.option, "--", "probe", "exit", "0")
                  for _ in range(3)]
        for other in others:
            self.assertIn(b"Waiting", other.stderr.readline())
        os.kill(deployer, signal.SIGKILL)
        result = self.finish(process)
        self.assert_failed(result, "pv-deploy", "signal 9")
        for other in others:
            self.assertEqual(self.finish(other).status, 0)
        self.get_base()

    def test_launcher_is_killed(self):
        """Its deployer cleans up, and ends."""
        self.make_large_depot()
        for number in (signal.SIGKILL, signal.SIGTERM):
            process, deployer = self.start_stopped()
            process.send_signal(number)
            process.wait()
            os.kill(deployer, signal.SIGCONT)
            harness.wait_until(lambda: self.list_parent() == [".ref"])
            self.wait_for_children()
            self.assert_nothing_left()


class KillTest(ManifestCase):
    timeout = 1200 if THOROUGH else 200

    def end_all(self):
        for pid in harness.list_descendants(os.getpid()):
            fd = -1
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
            if fd >= 0:
                select.select([fd], [], [], 20)
                os.close(fd)
        self.wait_for_children()

    def check_next(self):
        """The next launch works, and then one run of the cleaner leaves nothing."""
        result = self.launch()
        self.assertEqual((result.status, result.text), (0, "first"), result.err)
        self.gc()
        self.get_base()
        harness.remove_tree(self.parent)

    def test_at_random(self):
        self.make_large_depot()
        chance = random.Random(4)
        for _ in range(200 if THOROUGH else 25):
            process = self.start("--runtime=scout", self.option, "--", "probe", "exit", "0")
            deployer = self.catch_deployer(process)
            time.sleep(chance.uniform(0, 0.03))
            if deployer is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice((deployer, process.pid)), signal.SIGKILL)
            self.finish(process)
            self.end_all()
            self.check_next()

    def test_at_each_step(self):
        if not strace.works():
            self.skipTest(strace.SKIP)
        self.make_depot()
        before, _ = describe_source(self.files)
        log = self.folder / "strace"
        for calls in ("mkdirat", "openat", "openat2", "linkat", "symlinkat", "renameat2", "fcntl",
                      "unlinkat"):
            number, reached = 1, True
            while reached:
                with self.subTest(f"{calls} {number}"):
                    process = self.start("--runtime=scout", self.option, "--", "probe", "exit", "0",
                                         command=[*strace.inject(log, calls, "signal=SIGKILL",
                                                                 str(number)), harness.PV_LAUNCH],
                                         stdin=subprocess.DEVNULL)
                    self.finish(process)
                    self.end_all()
                    self.check_next()
                reached = strace.was_reached(log, number)
                number += 1 if THOROUGH else 1 + number // 3
        self.assertEqual(describe_source(self.files)[0], before)


class LeaseTest(ManifestCase):
    def setUp(self):
        super().setUp()
        self.make_depot()

    def test_overlay(self):
        """It depends on the base; the runtime is let go."""
        for mode in ((), ("--unshare-pid",)):
            process = self.start_waiting("--runtime=scout", self.option, "--copy-strategy=overlay",
                                         *mode)
            [base] = [name for name in self.list_parent() if BASE.match(name)]
            ref = self.parent / base / ".ref"
            self.assertFalse(harness.try_lock(ref, fcntl.F_WRLCK))
            self.assertTrue(harness.try_lock(ref, fcntl.F_RDLCK))
            self.assertFalse(harness.is_locked(self.files / ".ref"))
            self.assertFalse(harness.is_locked(self.parent / ".ref"))
            outside, inside = harness.find_supervisors(process.pid)
            text = self.gc()
            self.assertIn(f"{self.parent / base}: in use by {outside} (", text)
            # Its manifest is gone: it stays as long as it is used.
            os.utime(self.depot / "usr-mtree.txt.gz")
            self.assertIn(f"{self.parent / base}: in use by {outside} (", self.gc())
            self.assert_works(self.finish(process))
            self.assertIn(f"removed       {self.parent / base}\n", self.gc())
            self.assertEqual(self.list_parent(), [".ref"])
            self.assertGreater(inside, 0)

    def test_full_copy(self):
        """It depends on nothing."""
        for strategy in ("hardlink", "copy"):
            process = self.start_waiting("--runtime=scout", self.option,
                                         f"--copy-strategy={strategy}")
            [base] = [name for name in self.list_parent() if BASE.match(name)]
            self.assertTrue(harness.try_lock(self.parent / base / ".ref", fcntl.F_WRLCK))
            self.assertFalse(harness.is_locked(self.files / ".ref"))
            self.assert_works(self.finish(process))
            self.wait_for_children()

    def test_lock_inside(self):
        for strategy in ("overlay", "hardlink", "copy"):
            result = self.launch("probe", "lock", "/.ref", options=[f"--copy-strategy={strategy}"])
            self.assertEqual(result.text, "shared yes, exclusive no\n")
        self.wait_for_children()

    def test_gc(self):
        self.assert_marker(self.launch())
        base = self.get_base()
        self.assertEqual(self.gc(), f"left          {base}: its manifest "
                                    f"\"{self.depot}/usr-mtree.txt.gz\" is still there\n")
        self.assertIn('"outcome": "current"', self.gc("--json"))
        self.assertEqual(self.gc("--dry-run")[:4], "left")
        # One that was left half done, and one that nobody could ever lock.
        (self.parent / (".new-" + "0" * 32)).mkdir()
        (self.parent / (".new-" + "1" * 16) / "usr").mkdir(parents=True)
        (self.parent / (".new-" + "1" * 16) / "usr/.ref").touch()
        self.assertEqual(self.gc().count("removed  "), 2)
        (base / "usr/.ref").unlink()
        result = self.launch()
        self.assert_failed(result, str(base), "no lock file")
        self.assertIn("pvctl gc", result.lines[1])
        self.assertEqual(self.gc(), f"removed       {base}\n")
        self.assert_marker(self.launch())
        harness.remove_tree(self.depot)
        self.assertEqual(self.gc(), f"removed       {base}\n")
        self.assertEqual(self.list_parent(), [".ref"])

    def test_gc_beside_launches(self):
        loop = ["sh", "-c", 'for i in $(seq 60); do "$@" || exit; done', "sh", PVCTL, "gc",
                f"--parent={self.parent}"]
        self.assert_marker(self.launch())
        cleaner = self.start(command=loop, stdout=subprocess.DEVNULL)
        for number in range(30):
            if number % 5 == 0:
                os.utime(self.depot / "usr-mtree.txt.gz")
            result = self.launch()
            self.assertEqual((result.status, result.text), (0, "first"), result.err)
        result = self.finish(cleaner)
        self.assertEqual((result.status, result.err), (0, ""))
        self.gc()
        self.get_base()

    def test_without_ofd(self):
        self.environment["PV_LAUNCH_TEST_NO_OFD"] = "1"
        self.assert_marker(self.launch())
        process = self.start_waiting("--runtime=scout", self.option)
        [base] = [name for name in self.list_parent() if BASE.match(name)]
        self.assertFalse(harness.try_lock(self.parent / base / ".ref", fcntl.F_WRLCK))
        self.assert_works(self.finish(process))


class FilesystemTest(ManifestCase):
    def setUp(self):
        super().setUp()
        self.make_depot()

    def test_other_filesystem(self):
        """Copies, and one line about it."""
        self.parent.mkdir()
        before, links = describe_source(self.files)
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
        self.assertEqual(describe_source(self.files), (before, links))

    def test_foreign_files(self):
        """protected_hardlinks: root's files cannot be linked by others."""
        if not harness.is_root():
            self.skipTest("only root can become an ordinary user who exists nowhere else")
        if open("/proc/sys/fs/protected_hardlinks", encoding="ascii").read().strip() != "1":
            self.skipTest("no protected_hardlinks")
        self.parent.mkdir()
        for path in (self.parent, self.folder / "home", self.folder / "session", self.work):
            os.chown(path, harness.ORDINARY_UID, harness.ORDINARY_UID)
        self.environment["XDG_STATE_HOME"] = str(self.work / "state")
        command = [*harness.as_ordinary_user([]), harness.PV_LAUNCH]
        before, links = describe_source(self.files)
        results = [self.finish(self.start("--runtime=scout", self.option, "--", "probe", "cat",
                                          "/usr/marker", command=command)) for _ in range(2)]
        self.assertEqual([result.text for result in results], ["first", "first"])
        self.assertEqual([len(result.lines) for result in results], [1, 0], results[0].err)
        self.assertIn("Operation not permitted", results[0].err)
        self.assertEqual(describe_source(self.files), (before, links))

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


class ProgressTest(ManifestCase):
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
