# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of mutable copies share."""

import functools
import os
import pathlib
import shutil
import stat
import time

import harness

PVCTL = os.environ.get("PVCTL") or shutil.which("pvctl") or "pvctl"
THOROUGH = os.environ.get("PV_TEST_THOROUGH") == "1"

# Those that work on any filesystem; where it can share blocks, reflink does too.
STRATEGIES = ("overlay", "hardlink", "copy")
LAYOUTS = ("scout", "root")


def get_xattrs(path):
    """But for those that overlayfs makes in its upper layer."""
    try:
        return {name: os.getxattr(path, name, follow_symlinks=False)
                for name in os.listxattr(path, follow_symlinks=False)
                if not name.startswith("user.overlay.")}
    except OSError:
        return {}


def describe(path):
    """All that a program can see of one file, but for its inode, its links and its other times."""
    st = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(st.st_mode) else None
    target = os.readlink(path) if path.is_symlink() else None
    return (st.st_mode, st.st_uid, st.st_gid, st.st_rdev, st.st_mtime_ns, content, target,
            get_xattrs(path))


def describe_tree(folder):
    """By names relative to @folder."""
    folder = pathlib.Path(folder)
    paths = [folder, *sorted(folder.rglob("*"))]
    return {str(path.relative_to(folder)): describe(path) for path in paths}


def count_links(folder):
    return {str(path): path.lstat().st_nlink for path in sorted(folder.rglob("*"))}


@functools.lru_cache
def can_reflink(folder):
    """Whether files in @folder can share their blocks."""
    with open(folder / "one", "wb") as one, open(folder / "two", "wb") as two:
        one.write(b"x")
        one.flush()
        try:
            # FICLONE
            harness.call("ioctl", two.fileno(), 0x40049409, one.fileno())
            return True
        except OSError:
            return False
        finally:
            (folder / "one").unlink()
            (folder / "two").unlink()


class CopyCase(harness.Case):
    """A merged runtime "scout", on demand a complete "root", and a parent."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.wait_for_background)
        self.files = self.make_runtime()
        self.parent = self.work / "parent"
        self.environment["XDG_STATE_HOME"] = str(self.folder / "state")
        self.registry = self.folder / "state/pv-launch/parents"

    @staticmethod
    def wait_for_background():
        """For who still deletes a copy; a process that stays longer is a failure."""
        end = time.monotonic() + 5
        while harness.list_descendants(os.getpid()) and time.monotonic() < end:
            time.sleep(0.005)

    @property
    def option(self):
        return f"--runtime-mutable-parent={self.parent}"

    def make_root(self, path="root"):
        """A complete root with little in it."""
        usr = self.make_runtime(f"{path}/files/usr", ref=False)
        files = usr.parent
        (files / "etc").mkdir()
        (files / "etc/os-release").write_text("ID=test\n")
        (files / "opt/deep/er").mkdir(parents=True)
        (files / "opt/deep/er/file").write_text("deep")
        (files / "bin").symlink_to("usr/bin")
        (files / ".ref").touch()
        self.runtimes.append(files / ".ref")
        return files

    def list_parent(self):
        return sorted(os.listdir(self.parent))

    def get_copy(self):
        """The only one."""
        names = [name for name in self.list_parent() if name != ".ref"]
        self.assertEqual(len(names), 1, names)
        self.assertRegex(names[0], r"^tmp-[A-Za-z0-9]{6}$")
        return self.parent / names[0]

    def run_copy(self, *words, runtime="scout", options=(), **others):
        return self.run_launch(f"--runtime={runtime}", self.option, *options, "--", "probe", *words,
                               **others)

    def wait_until_removed(self):
        """By a process in the background, which comes to this one."""
        harness.wait_until(lambda: self.list_parent() == [".ref"]
                           and not harness.list_descendants(os.getpid()))

    def gc(self, *options):
        result = self.finish(self.start(*options, command=[PVCTL, "gc"]))
        self.assertEqual((result.status, result.err), (0, ""), result.text)
        return result.text

    def assert_clean(self):
        """After one gc, which finds the parent itself."""
        text = self.gc()
        self.assertNotIn("left ", text)
        self.assertEqual(self.list_parent(), [".ref"])
        self.assertEqual([os.readlink(link) for link in self.registry.iterdir()],
                         [str(self.parent)])

    def assert_next_works(self, runtime="scout", options=()):
        result = self.run_copy("cat", "/usr/marker", runtime=runtime, options=options)
        self.assertEqual((result.status, result.out, result.err), (0, b"first", ""))
