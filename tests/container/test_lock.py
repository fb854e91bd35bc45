#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lease on a runtime, as a program outside sees it that wants the exclusive lock."""

import fcntl
import os
import shutil
import time

import harness


class HoldTest(harness.LockCase):
    def test_held_while_it_runs(self):
        for arguments in ([], ["--unshare-pid"]):
            process = self.start_waiting("--runtime=scout/files", *arguments)
            self.assert_held()
            self.assert_works(self.finish(process))
            self.assert_free()

    def test_created(self):
        self.ref.unlink()
        process = self.start_waiting("--runtime=scout/files")
        self.assert_held()
        self.assert_works(self.finish(process))
        self.assert_free()
        self.assertEqual(self.ref.stat().st_size, 0)

    def test_created_for_others(self):
        """Who can read the runtime can lock it, whatever the umask of the first to come."""
        for mode, expected in ((0o755, 0o644), (0o750, 0o640), (0o700, 0o600)):
            self.files.chmod(mode)
            self.ref.unlink()
            self.assert_works(self.run_launch("--runtime=scout", "--", "probe", "args",
                                              preexec_fn=lambda: os.umask(0o077)))
            self.assertEqual(oct(self.ref.stat().st_mode & 0o7777), oct(expected))

    def test_same_inode_inside(self):
        info = self.ref.stat()
        result = self.run_launch("--runtime=scout", "--", "probe", "stat", "/.ref")
        self.assert_works(result)
        self.assertEqual(result.text, f"{info.st_dev}:{info.st_ino}\n")

    def test_lock_from_inside(self):
        """A program in it meets the launcher's lock, and can take a shared one."""
        result = self.run_launch("--runtime=scout", "--", "probe", "lock", "/.ref")
        self.assert_works(result)
        self.assertEqual(result.text, "shared yes, exclusive no\n")

    def test_twenty_at_once(self):
        processes = [self.start("--runtime=scout", "--", "probe", "--wait") for _ in range(20)]
        for process in processes:
            self.read_until(process, b"ready\n")
        for process in processes:
            self.assert_held()
            self.assert_works(self.finish(process))
        self.assert_free()

    def test_debian11(self):
        ref = self.get_runtime("debian11") / ".ref"
        # Others may use it at the same time: only what it adds can be seen.
        process = self.start(f"--runtime={ref.parent}", "--", "sh", "-c",
                             "stat -Lc %d:%i /.ref && echo ready && cat")
        info = ref.stat()
        self.assertEqual(self.read_until(process, b"ready\n"),
                         f"{info.st_dev}:{info.st_ino}\n".encode())
        self.assertTrue(harness.is_locked(ref))
        self.assert_works(self.finish(process))

    def test_complete_root(self):
        root = self.work / "root"
        (root / "usr").mkdir(parents=True)
        (self.files / "bin").rename(root / "usr/bin")
        (root / "bin").symlink_to("usr/bin")
        ref = root / ".ref"
        ref.touch()
        info = ref.stat()
        process = self.start_waiting("--runtime=root", probe=["stat", "/.ref"])
        self.assert_held(ref)
        self.assert_works(self.finish(process))
        result = self.run_launch("--runtime=root", "--", "probe", "stat", "/.ref")
        self.assertEqual(result.text, f"{info.st_dev}:{info.st_ino}\n")
        self.assert_free(ref)


class WaitTest(harness.LockCase):
    def test_timeout(self):
        with harness.hold_exclusive(self.ref):
            result = self.run_launch("--runtime=scout", "--lock-timeout=0.3", "--", "probe")
        self.assertEqual((result.status, result.out), (125, b""))
        self.assertEqual(len(result.lines), 2, result.err)
        self.assertIn(f'Waiting up to 0.3 s for the lock "{self.ref}"', result.lines[0])
        self.assertIn(f'"{self.ref}"', result.lines[1])
        self.assertIn("in use", result.lines[1])

    def test_no_wait(self):
        with harness.hold_exclusive(self.ref):
            result = self.run_launch("--runtime=scout", "--lock-timeout=0", "--", "probe")
        self.assert_failed(result, f'"{self.ref}"', "in use")
        self.assertEqual(len(result.lines), 1)

    def test_holder_is_named(self):
        with harness.hold_exclusive(self.ref, fcntl.F_SETLK):
            result = self.run_launch("--runtime=scout", "--lock-timeout=0.1", "--", "probe")
        self.assertEqual(result.status, 125)
        self.assertIn(f"process {os.getpid()} (", result.lines[0])

    def wait_for_message(self, process):
        line = process.stderr.readline()
        self.assertIn(b"Waiting up to 30 s", line)

    def test_released(self):
        with harness.hold_exclusive(self.ref) as release:
            process = self.start("--runtime=scout", "--lock-timeout=30", "--", "probe", "--wait")
            self.wait_for_message(process)
            started = time.monotonic()
            release()
            self.read_until(process, b"ready\n")
            self.assertLess(time.monotonic() - started, 5)
            self.assert_held()
        self.assert_works(self.finish(process))

    def test_another_folder_while_waiting(self):
        """An updater has moved it away, and still holds its lock."""
        other = self.make_runtime("other/files", "second")
        with harness.hold_exclusive(self.ref):
            process = self.start("--runtime=scout", "--lock-timeout=30", "--", "probe", "cat",
                                 "/usr/marker")
            self.wait_for_message(process)
            harness.exchange(self.files, other)
            result = self.finish(process)
        self.assertEqual((result.status, result.out, result.err), (0, b"second", ""))

    def test_waiters_share(self):
        with harness.hold_exclusive(self.ref) as release:
            processes = [self.start("--runtime=scout", "--lock-timeout=30", "--", "probe")
                         for _ in range(5)]
            for process in processes:
                self.wait_for_message(process)
            release()
            for process in processes:
                self.assert_works(self.finish(process))


class WindowTest(harness.LockCase):
    """Something is changed at the worst moment, for which pv-launch waits."""

    def open_pipe(self):
        """Both ends stay open: who writes into a pipe without readers is killed."""
        fds = os.pipe()
        for fd in fds:
            self.addCleanup(os.close, fd)
        return fds

    def change(self, when, action, *arguments, program=("probe", "cat", "/usr/marker")):
        says, window = self.open_pipe()
        goes_on, go_on = self.open_pipe()
        hook = {"PV_LAUNCH_TEST_LOCK_WINDOW": f"{when}:{window}:{goes_on}"}
        process = self.start("--runtime=scout", *arguments, "--", *program, environment=hook,
                             pass_fds=[window, goes_on])
        self.assertEqual(os.read(says, 1), b"w")
        action()
        # It may come here a few times more.
        os.write(go_on, b"g" * 100)
        return process

    def assert_second(self, process):
        result = self.finish(process)
        self.assertEqual((result.status, result.out, result.err), (0, b"second", ""))

    def assert_leads_to(self, process, held, free):
        """It runs with the lock of @held, and has let go of @free."""
        self.read_until(process, b"ready\n")
        self.assert_held(held)
        if free is not None:
            self.assert_free(free)
        self.assert_works(self.finish(process))

    def make_second(self):
        return self.make_runtime("second/files", "second")

    def test_ref_replaced(self):
        old = self.files / "old"

        def replace():
            self.ref.rename(old)
            self.ref.touch()

        process = self.change("opened", replace, program=("probe", "--wait", "stat", "/.ref"))
        self.runtimes.append(old)
        self.assert_leads_to(process, self.ref, old)

    def test_ref_deleted(self):
        process = self.change("opened", self.ref.unlink, program=("probe", "--wait"))
        self.assert_leads_to(process, self.ref, None)

    def test_folder_renamed_away(self):
        second = self.make_second()
        old = self.work / "old"

        def replace():
            self.files.rename(old)
            second.rename(self.files)

        process = self.change("opened", replace, program=("probe", "--wait"))
        self.assert_leads_to(process, self.ref, old / ".ref")
        self.files.rename(second)
        old.rename(self.files)
        self.assert_second(self.change("opened", replace))

    def test_folder_exchanged(self):
        second = self.make_second()

        def replace():
            harness.exchange(self.files, second)

        self.assert_second(self.change("opened", replace))
        process = self.change("opened", replace, program=("probe", "--wait"))
        self.assert_leads_to(process, self.ref, second / ".ref")

    def test_outer_folder_exchanged(self):
        second = self.make_second()
        self.assert_second(self.change(
            "opened", lambda: harness.exchange(self.files.parent, second.parent)))

    def test_link_switched(self):
        second = self.make_second()
        first = self.work / "first"
        self.files.rename(first)
        self.files.symlink_to(first)
        self.runtimes.append(first / ".ref")

        def switch():
            (self.work / "link").symlink_to(second)
            (self.work / "link").rename(self.files)

        process = self.change("opened", switch, program=("probe", "--wait"))
        self.assert_leads_to(process, second / ".ref", first / ".ref")

    def test_updater_deletes(self):
        """It holds the exclusive lock, deletes .ref first, then the rest, and puts a new one."""
        second = self.make_second()

        def update():
            with harness.hold_exclusive(self.ref):
                self.ref.unlink()
                shutil.rmtree(self.files)
                second.rename(self.files)

        self.assert_second(self.change("opened", update))

    def test_nothing_is_left(self):
        def delete():
            shutil.rmtree(self.files.parent)

        self.assert_failed(self.finish(self.change("opened", delete)), '"scout"')

    def test_nothing_is_created_in_a_folder_that_was_renamed_away(self):
        """The folder that has no lock file is not the one that the name means then."""
        second = self.make_second()
        old = self.work / "old"
        self.ref.unlink()

        def replace():
            self.files.rename(old)
            second.rename(self.files)

        process = self.change("missing", replace, program=("probe", "--wait"))
        self.assert_leads_to(process, self.ref, None)
        self.assertFalse((old / ".ref").exists())

    def test_created_meanwhile(self):
        self.ref.unlink()
        process = self.change("missing", self.ref.touch, program=("probe", "--wait"))
        self.assert_leads_to(process, self.ref, None)


class ForeignTest(harness.LockCase):
    """Runtimes to which the user cannot write."""

    def setUp(self):
        super().setUp()
        self.work.chmod(0o777)
        self.folder.joinpath("home").chmod(0o777)

    def assert_warned(self, result):
        self.assertEqual((result.status, result.out), (0, b"a\0"), result.err)
        self.assertEqual(len(result.lines), 1, result.err)
        self.assertIn("is not locked", result.lines[0])

    def run_read_only(self, *arguments):
        script = (f"mount --bind '{self.files}' '{self.files}'\n"
                  f"mount -o remount,bind,ro '{self.files}'")
        launch = [harness.PV_LAUNCH, "--runtime=scout", *arguments, "--", "probe"]
        command = harness.in_mount_namespace(script, harness.as_ordinary_user(launch))
        return self.start("--wait", "args", "a", command=command)

    def test_read_only_mount(self):
        process = self.run_read_only()
        self.assertEqual(self.read_until(process, b"ready\n"), b"a\0")
        self.assert_held()
        self.assert_works(self.finish(process))
        self.assert_free()

    def test_read_only_mount_without_ref(self):
        self.ref.unlink()
        process = self.run_read_only()
        self.assertEqual(self.read_until(process, b"ready\n"), b"a\0")
        result = self.finish(process)
        result.out = b"a\0"
        self.assert_warned(result)
        self.assertFalse(self.ref.exists())

    def run_foreign(self, *program, **others):
        command = harness.as_ordinary_user([harness.PV_LAUNCH])
        return self.start(*program, command=command, **others)

    def test_of_root(self):
        """As root: a runtime of root, run by somebody else. Otherwise one that root may own."""
        if not harness.is_root():
            files = self.get_runtime("minimal")
            if os.access(files, os.W_OK):
                self.skipTest("no runtime here belongs to root")
            result = self.run_launch(f"--runtime={files}", "--", "echo", "a")
            self.assert_works(result)
            return
        process = self.run_foreign("--runtime=scout", "--", "probe", "--wait")
        self.read_until(process, b"ready\n")
        self.assert_held()
        self.assert_works(self.finish(process))
        self.assert_free()

    def test_of_root_without_ref(self):
        name = "scout"
        self.ref.unlink()
        if not harness.is_root():
            # It belongs to root everywhere, has bin and lib, and nobody locks it.
            name = "/usr/local"
            self.assertFalse(os.path.lexists("/usr/local/.ref"))
        share = self.work / "share"
        shutil.copytree(self.files / "bin", share)
        result = self.finish(self.run_foreign(f"--runtime={name}", f"--filesystem={share}", "--",
                                              str(share / "probe"), "args", "a"))
        self.assert_warned(result)
        self.assertFalse(self.ref.exists())

    def test_unreadable_ref(self):
        self.ref.chmod(0)
        if os.geteuid() == 0 and not harness.is_root():
            self.skipTest("as uid 0 of a user namespace every file of one's own can be read")
        result = self.finish(self.run_foreign("--runtime=scout", "--", "probe"))
        self.ref.chmod(0o644)
        self.assert_failed(result, f'"{self.ref}"')
        self.assertEqual(len(result.lines), 2)


class HoldWithoutOfdTest(harness.WithoutOfd, HoldTest):
    pass


class WaitWithoutOfdTest(harness.WithoutOfd, WaitTest):
    pass


class WindowWithoutOfdTest(harness.WithoutOfd, WindowTest):
    pass


class ForeignWithoutOfdTest(harness.WithoutOfd, ForeignTest):
    pass


if __name__ == "__main__":
    harness.main()
