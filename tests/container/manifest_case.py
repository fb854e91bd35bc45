# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of runtimes that are shipped as a manifest share."""

import contextlib
import os
import re
import shutil
import signal
import stat

import depot
import harness

PVCTL = os.environ.get("PVCTL") or shutil.which("pvctl") or "pvctl"

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
