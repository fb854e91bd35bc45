#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pvctl gc: what it removes, what it leaves, and that nobody waits for it."""

import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import time

import harness

PVCTL = os.environ.get("PVCTL") or shutil.which("pvctl") or "pvctl"

# What an overlay copy is made of; the kernel leaves a folder that nobody can read.
FOLDERS = ("usr", "upper/usr", "work/work/incompat", "m")


def make_copy(parent, name, ref=True):
    """As a launch that was killed leaves it."""
    copy = parent / name
    for folder in FOLDERS:
        (copy / folder).mkdir(parents=True)
    if ref:
        (copy / "usr/.ref").touch()
    (copy / ".ref").symlink_to("usr/.ref")
    (copy / "upper/usr/.ref").touch()
    (copy / "work/work").chmod(0)
    return copy


def describe_tree(folder):
    """All that a change would change, but for the time of the last access."""
    found = {}
    for path, folders, files in os.walk(os.fsencode(folder)):
        for name in [b".", *folders, *files]:
            st = os.lstat(os.path.join(path, name))
            found[os.path.join(path, name)] = (st.st_mode, st.st_ino, st.st_mtime_ns,
                                               st.st_ctime_ns)
    return found


class GcCase(harness.Case):
    prefix = ()

    def setUp(self):
        super().setUp()
        self.make_runtime()
        self.environment["XDG_STATE_HOME"] = str(self.folder / "state")
        self.registry = self.folder / "state/pv-launch/parents"
        self.parent = self.work / "a parent\\of copies"

    def launch(self, *probe, **others):
        return self.start_waiting("--runtime=scout", f"--runtime-mutable-parent={self.parent}",
                                  probe=probe, **others)

    def gc(self, *options, status=0, prefix=None):
        command = [*(self.prefix if prefix is None else prefix), PVCTL, "gc"]
        result = self.finish(self.start(*options, command=command))
        self.assertEqual(result.status, status, result.text + result.err)
        return result

    def gc_json(self, *options, status=0):
        return json.loads(self.gc("--json", *options, status=status).out)

    def find_copies(self):
        return sorted(self.parent.glob("tmp-*"))

    def assert_empty(self):
        self.assertEqual(os.listdir(self.parent), [".ref"])

    def give_to_ordinary_user(self):
        if harness.is_root():
            for path, folders, files in os.walk(self.folder):
                for name in [".", *folders, *files]:
                    os.chown(os.path.join(path, name), harness.ORDINARY_UID, harness.ORDINARY_UID,
                             follow_symlinks=False)


class UseTest(GcCase):
    """What is in use stays."""

    def test_live(self):
        process = self.launch()
        [copy] = self.find_copies()
        before = describe_tree(copy)
        supervisors = harness.find_supervisors(process.pid)
        [line] = self.gc().text.splitlines()
        self.assertTrue(line.startswith(f"left          {copy}: in use by "), line)
        self.assertIn(f"{supervisors[0]} (", line)
        [parent] = self.gc_json()["parents"]
        self.assertEqual(parent["path"], str(self.parent))
        [entry] = parent["entries"]
        self.assertEqual((entry["path"], entry["outcome"]), (str(copy), "in-use"))
        users = {user["pid"]: user["command"] for user in entry["users"]}
        self.assertLessEqual(set(supervisors), set(users))
        self.assertTrue(any(words.startswith("probe --wait") for words in users.values()), users)
        self.assertEqual(describe_tree(copy), before)
        self.assert_works(self.finish(process))
        self.assertEqual(self.gc().text, "")
        self.assert_empty()

    def test_killed(self):
        """Nobody holds the lock any more, but a child of the program is still there."""
        process = self.launch("background", "nothing", "100000", "5")
        [copy] = self.find_copies()
        supervisors = harness.find_supervisors(process.pid)
        inside = harness.list_descendants(supervisors[1])
        harness.wait_until(lambda: any(os.getsid(pid) == pid for pid in inside))
        [child] = [pid for pid in inside if os.getsid(pid) == pid]
        for pid in (supervisors[1], *(set(inside) - {child})):
            harness.kill(pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.assertFalse(harness.is_locked(copy / "usr/.ref"))
        self.assertTrue(os.path.exists(f"/proc/{child}/root/usr/marker"))

        [line] = self.gc().text.splitlines()
        self.assertTrue(line.startswith(f"left          {copy}: in use by {child} (probe "), line)
        self.assertTrue(line.endswith(", mounted"), line)
        self.assertTrue(os.path.exists(f"/proc/{child}/root/usr/marker"))
        [parent] = self.gc_json()["parents"]
        [entry] = parent["entries"]
        self.assertEqual(entry["outcome"], "mounted")
        self.assertEqual([user["pid"] for user in entry["users"]], [child])

        # The same for what somebody has renamed before he looked.
        trash = copy.rename(self.parent / ".trash-XXXXXX")
        self.assertIn(f"{trash}: in use by {child} (", self.gc().text)
        self.assertTrue(os.path.exists(f"/proc/{child}/root/usr/marker"))

        harness.kill(child)
        self.wait_for_children()
        self.assertEqual(self.gc().text, f"removed       {trash}\n")
        self.assert_empty()

    def test_killed_all(self):
        process = self.launch()
        [copy] = self.find_copies()
        # From the outside in, or they would end by themselves, and remove the copy.
        for pid in (process.pid, *harness.list_descendants(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        self.wait_for_children()
        self.assertEqual(self.gc().text, f"removed       {copy}\n")
        self.assert_empty()

    def test_busy(self):
        self.parent.mkdir()
        (self.parent / ".ref").touch()
        copy = make_copy(self.parent, "tmp-aaaaaa")
        fd = os.open(self.parent / ".ref", os.O_RDONLY)
        self.addCleanup(os.close, fd)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, harness.pack_lock(fcntl.F_RDLCK))
        text = self.gc(f"--parent={self.parent}").text
        self.assertTrue(text.startswith(f"left          {self.parent}: in use by {os.getpid()} ("))
        self.assertTrue(copy.exists())


class LeftTest(GcCase):
    """What was left goes, and nothing else does."""

    def setUp(self):
        super().setUp()
        self.parent.mkdir()
        (self.parent / ".ref").touch()

    def option(self):
        return f"--parent={self.parent}"

    def make_leftovers(self):
        victim = self.work / "victim"
        victim.mkdir()
        (victim / ".ref").touch()
        (victim / "file").touch()
        make_copy(self.parent, "tmp-whole")
        make_copy(self.parent, "tmp-dangling", ref=False)
        (self.parent / "tmp-empty").mkdir()
        (self.parent / "tmp-root/usr").mkdir(parents=True)
        (self.parent / "tmp-root/usr/.ref").touch()
        make_copy(self.parent, os.fsdecode(b"tmp-\xff\n"))
        (self.parent / ".trash-half/usr/lib").mkdir(parents=True)
        (self.parent / ".trash-half/usr").chmod(0)
        for name in ("tmp-usr", "tmp-ref", "tmp-lock"):
            (self.parent / name / "usr").mkdir(parents=True)
        (self.parent / "tmp-usr/usr").rmdir()
        (self.parent / "tmp-usr/usr").symlink_to(victim)
        (self.parent / "tmp-ref/.ref").symlink_to(victim / ".ref")
        (self.parent / "tmp-lock/usr/.ref").symlink_to("../../../victim/.ref")
        for name in ("tmp-link", ".trash-link"):
            (self.parent / name).symlink_to(victim)
        keep = make_copy(self.parent, "tmp-keep")
        (keep / "keep").touch()
        return victim

    def check_leftovers(self, victim, names=("tmp-keep", "tmp-link", ".trash-link")):
        self.assertEqual(sorted(os.listdir(self.parent)), sorted((".ref", *names)))
        self.assertEqual(sorted(os.listdir(victim)), [".ref", "file"])

    def test_leftovers(self):
        victim = self.make_leftovers()
        before = describe_tree(victim)
        self.give_to_ordinary_user()
        if harness.is_root():
            before = describe_tree(victim)
        text = self.gc(self.option(), prefix=harness.as_ordinary_user([])).text
        self.check_leftovers(victim)
        self.assertEqual(describe_tree(victim), before)
        self.assertEqual(text.count("removed  "), 9, text)
        self.assertIn("tmp-keep: it has a file \"keep\"\n", text)
        self.assertIn("tmp-link: not ours: not a folder\n", text)
        self.assertIn("tmp-\udcff\\x0a\n", text)

    def test_through_a_link(self):
        victim = self.make_leftovers()
        link = self.work / "link"
        link.symlink_to(self.parent)
        self.gc(f"--parent={link}")
        self.check_leftovers(victim)

    def test_dry_run(self):
        self.make_leftovers()
        self.registry.mkdir(parents=True)
        (self.registry / "0").symlink_to("/nowhere/at all")
        (self.registry / "1").symlink_to(self.parent)
        before = describe_tree(self.work), describe_tree(self.folder / "state")
        text = self.gc("--dry-run").text
        self.assertEqual(text.count("would remove"), 9, text)
        self.assertIn("would forget  /nowhere/at all: it is gone\n", text)
        self.assertEqual((describe_tree(self.work), describe_tree(self.folder / "state")), before)
        answer = self.gc_json("--dry-run")
        self.assertEqual(answer["dropped"], ["/nowhere/at all"])
        self.assertTrue(answer["dry_run"])
        self.assertEqual((describe_tree(self.work), describe_tree(self.folder / "state")), before)

        answer = self.gc_json()
        self.assertEqual(answer["dropped"], ["/nowhere/at all"])
        self.assertEqual(os.listdir(self.registry), ["1"])
        outcomes = [entry["outcome"] for entry in answer["parents"][0]["entries"]]
        self.assertEqual({name: outcomes.count(name) for name in outcomes},
                         {"removed": 9, "keep": 1, "not-ours": 2})

    def test_registered(self):
        """A launch that is killed has registered its parent."""
        shutil.rmtree(self.parent)
        process = self.launch()
        # From the outside in, or they would end by themselves, and remove the copy.
        for pid in (process.pid, *harness.list_descendants(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        self.wait_for_children()
        self.assertEqual(len(self.find_copies()), 1)
        self.assertIn("removed", self.gc().text)
        self.assert_empty()
        shutil.rmtree(self.parent)
        self.assertEqual(self.gc().text, f"forgotten     {self.parent}: it is gone\n")
        self.assertEqual(self.gc().text, "")

    def test_others(self):
        """As an ordinary user: what belongs to somebody else."""
        make_copy(self.parent, "tmp-mine")
        self.give_to_ordinary_user()
        if harness.is_root():
            make_copy(self.parent, "tmp-foreign")
            (self.parent / "tmp-foreign").chmod(0)
        text = self.gc(self.option(), prefix=harness.as_ordinary_user([])).text
        self.assertIn("removed       ", text)
        self.assertFalse((self.parent / "tmp-mine").exists())
        if harness.is_root():
            self.assertIn("tmp-foreign: not ours: it belongs to another user\n", text)
            self.assertEqual((self.parent / "tmp-foreign").stat().st_mode & 0o777, 0)

    def test_closed(self):
        """What a program has taken all permissions from is still its owner's."""
        names = [f"tmp-{name}" for name in ("usr", "ref", "both", "top", "read", "all")]
        copies = {name: make_copy(self.parent, name) for name in names}
        keep = make_copy(self.parent, "tmp-keep")
        (keep / "keep").touch()
        (self.work / "foreign").mkdir(mode=0o100)
        linked = make_copy(self.parent, "tmp-linked")
        harness.remove_tree(linked / "usr")
        (linked / "usr").symlink_to("../../foreign")
        self.give_to_ordinary_user()
        (copies["tmp-usr"] / "usr").chmod(0)
        copies["tmp-top"].chmod(0)
        prefix = harness.as_ordinary_user([])
        watched = (copies["tmp-top"], copies["tmp-usr"] / "usr")
        before = [path.stat() for path in watched]
        self.gc(self.option(), "--dry-run", prefix=prefix)
        self.assertEqual([path.stat() for path in watched], before)

        for name in ("ref", "both", "all"):
            (copies[f"tmp-{name}"] / "usr/.ref").chmod(0)
        for name in ("both", "all"):
            (copies[f"tmp-{name}"] / "usr").chmod(0)
        copies["tmp-all"].chmod(0)
        copies["tmp-read"].chmod(0o400)
        keep.chmod(0o400)
        text = self.gc(self.option(), prefix=prefix).text
        self.assertEqual(text.count("removed  "), 7, text)
        self.assertIn("tmp-keep: it has a file \"keep\"\n", text)
        self.assertEqual(sorted(os.listdir(self.parent)), [".ref", "tmp-keep"])
        self.assertEqual((self.work / "foreign").stat().st_mode & 0o777, 0o100)

    def test_failure(self):
        """One line that says what cannot be done, and the status."""
        copy = make_copy(self.parent, "tmp-stays")
        self.give_to_ordinary_user()
        self.parent.chmod(0o555)
        if os.geteuid() == 0 and not harness.is_root():
            self.skipTest("as uid 0 of a user namespace every file of one's own can be read")
        result = self.gc(self.option(), prefix=harness.as_ordinary_user([]), status=1)
        self.assertEqual(result.err, f"pvctl: Cannot remove \"{copy}\": Permission denied\n")
        self.assertEqual(result.text, "")
        result = self.gc(f"--parent={self.work}/none", self.option(),
                         prefix=harness.as_ordinary_user([]), status=1)
        self.assertEqual(len(result.lines), 2, result.err)

    def test_usage(self):
        for options in (["--none"], ["argument"], ["--parent"]):
            result = self.gc(*options, status=2)
            self.assertEqual(result.text, "")
        [line] = self.gc(f"--parent={self.work}/none", status=1).lines
        self.assertIn(f"Cannot open folder \"{self.work}/none\": No such file", line)
        answer = self.gc_json(f"--parent={self.work}/none", status=1)
        self.assertIn("No such file", answer["parents"][0]["error"])


class ManyTest(GcCase):
    timeout = 240

    def make_many(self, count):
        self.parent.mkdir(exist_ok=True)
        (self.parent / ".ref").touch()
        for number in range(count):
            make_copy(self.parent, f"tmp-{number:06}")

    def check_many(self, *prefix):
        self.make_many(1000)
        if prefix and prefix[0] == "setpriv":
            self.give_to_ordinary_user()
        command = [*prefix, "sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
        result = self.gc(f"--parent={self.parent}", prefix=command)
        self.assertEqual(result.text.count("removed  "), 1000)
        self.assert_empty()

    def test_as_it_is(self):
        self.check_many()

    def test_ordinary_user(self):
        self.check_many(*harness.as_ordinary_user([]))

    def test_user_namespace(self):
        """From an ordinary user's."""
        if not harness.is_root():
            self.check_many("unshare", "-r")
        else:
            self.check_many(*harness.as_ordinary_user(["unshare", "-r"]))

    def test_killed(self):
        """At any time; and several at once."""
        self.make_many(400)
        chance = random.Random(4)
        for _ in range(40):
            processes = [self.start(f"--parent={self.parent}", command=[PVCTL, "gc"])
                         for _ in range(3)]
            time.sleep(chance.uniform(0, 0.02))
            for process in processes:
                process.kill()
            for process in processes:
                self.finish(process)
        self.gc(f"--parent={self.parent}")
        self.assert_empty()

    def test_beside_launches(self):
        """None fails, and none loses a file."""
        self.make_many(200)
        launches = [self.launch() for _ in range(4)]
        loop = ["sh", "-c", 'for i in $(seq 40); do "$@" || exit; done', "sh", PVCTL, "gc"]
        cleaners = [self.start(f"--parent={self.parent}", command=loop) for _ in range(2)]
        for _ in range(20):
            result = self.run_launch("--runtime=scout", f"--runtime-mutable-parent={self.parent}",
                                     "--", "probe", "cat", "/usr/marker")
            self.assert_works(result)
            self.assertEqual(result.text, "first")
        for cleaner in cleaners:
            result = self.finish(cleaner)
            self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(len(self.find_copies()), 4)
        for process in launches:
            self.assert_works(self.finish(process))
        self.assert_empty()


if __name__ == "__main__":
    harness.main()
