#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a name leads to changes all the time: what is mounted must be what is locked."""

import os
import threading

import harness

# meson test --setup=thorough
LAUNCHES = 2000 if os.environ.get("PV_TEST_THOROUGH") == "1" else 40


class RaceTest(harness.Case):
    timeout = 900 if LAUNCHES > 1000 else 60

    def setUp(self):
        super().setUp()
        self.first = self.make_runtime("scout/files")
        self.second = self.make_runtime("spare/files", marker="second")
        self.over = threading.Event()

    def change_all_the_time(self, change):
        def loop():
            while not self.over.is_set():
                change()

        thread = threading.Thread(target=loop)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.over.set)

    def launch_again_and_again(self):
        seen = set()
        for _ in range(LAUNCHES):
            result = self.run_launch("--runtime=scout/files", "--", "probe", "lease")
            self.assert_works(result)
            mounted, *descriptors = result.text.splitlines()
            leases = [line.split()[1] for line in descriptors if int(line.split()[0]) > 2]
            self.assertEqual(leases, [mounted])
            seen.add(mounted)
        self.assertEqual(len(seen), 2, "the folders were not exchanged between launches")

    def test_folders_exchanged(self):
        self.change_all_the_time(lambda: harness.exchange(self.first, self.second))
        self.launch_again_and_again()

    def test_link_switched(self):
        real = self.work / "real"
        self.first.rename(real)
        self.runtimes.append(real / ".ref")
        targets = [real, self.second]

        def switch():
            targets.reverse()
            (self.work / "link").symlink_to(targets[0])
            (self.work / "link").rename(self.first)

        switch()
        self.change_all_the_time(switch)
        self.launch_again_and_again()

    def test_share_exchanged(self):
        """A shared folder is the one that was resolved, or the launch looks again."""
        folders = [self.work / name for name in ("shared", "other")]
        for folder in folders:
            folder.mkdir()
            (folder / "name").write_text(folder.name)
        self.change_all_the_time(lambda: harness.exchange(*folders))
        for _ in range(LAUNCHES):
            result = self.run_launch("--runtime=spare/files", f"--filesystem={folders[0]}",
                                     "--", "probe", "cat", f"{folders[0]}/name")
            self.assert_works(result)
            self.assertIn(result.text, ("shared", "other"))


if __name__ == "__main__":
    harness.main()
