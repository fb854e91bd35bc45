#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pvctl doctor: what it finds is what a launch meets."""

import json
import os
import shutil

import harness

PVCTL = os.environ.get("PVCTL") or shutil.which("pvctl") or "pvctl"


class DoctorTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.state = self.work / "state"
        self.data = self.work / "data"
        self.environment |= {"XDG_STATE_HOME": str(self.state), "XDG_DATA_HOME": str(self.data),
                             "XDG_RUNTIME_DIR": str(self.work)}

    def diagnose(self, command=(), **others):
        """Returns: findings by name, and the status"""
        result = self.finish(self.start("doctor", "--json", command=[*command, PVCTL], **others))
        self.assertEqual(result.err, "")
        found = {}
        for finding in json.loads(result.text):
            self.assertIn(finding["state"], ("ok", "note", "bad"))
            if finding["state"] == "bad":
                self.assertTrue(finding["remedy"], finding)
            found.setdefault(finding["name"], []).append(finding)
        bad = any(one["state"] == "bad" for findings in found.values() for one in findings)
        self.assertEqual(result.status, int(bad))
        return found

    def assert_bad(self, finding, *words):
        self.assertEqual(finding["state"], "bad")
        for word in words:
            self.assertIn(word, f"{finding['text']} {finding['remedy']}")

    def test_well(self):
        found = self.diagnose()
        for name in ("bwrap", "container", "user-namespaces", "locks", "store", "runtimes",
                     "runtime-folder"):
            self.assertEqual([one["state"] for one in found[name]], ["ok"], found[name])
        self.assertFalse(self.state.exists() or self.data.exists(), "nothing is written")

    def test_text(self):
        result = self.finish(self.start("doctor", command=[PVCTL]))
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertIn("ok   container ", result.text)

    def test_no_bwrap(self):
        found = self.diagnose(environment={"PATH": "/nonexistent", "PV_LAUNCH_BWRAP": ""})
        self.assert_bad(found["bwrap"][0], "install the package bubblewrap")
        found = self.diagnose(environment={"PV_LAUNCH_BWRAP": "/bin/false"})
        self.assert_bad(found["bwrap"][0], "/bin/false")

    def test_no_user_namespaces(self):
        """A limit of a user namespace is its own."""
        command = ["unshare", "-r", "sh", "-c",
                   "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"]
        found = self.diagnose(command)
        self.assert_bad(found["user-namespaces"][0], "user.max_user_namespaces")

    def test_left_copies(self):
        self.make_runtime()
        parent = self.work / "parent"
        self.assert_works(self.run_launch("--runtime=scout", f"--runtime-mutable-parent={parent}",
                                          "--", "probe", "exit", "0"))
        self.assertEqual(len(self.diagnose()["copies"]), 1)
        (parent / "tmp-000000/usr").mkdir(parents=True)
        (parent / "tmp-000000/.ref").symlink_to("usr/.ref")
        (parent / "tmp-000000/usr/.ref").touch()
        left = self.diagnose()["copies"][1]
        self.assertEqual((left["state"], left["remedy"]), ("note", "pvctl gc"))
        self.assertIn("tmp-000000", left["text"])
        self.assertTrue((parent / "tmp-000000/usr/.ref").exists(), "it only looks")

    def test_broken_runtime(self):
        broken = self.data / "pv-launch/runtimes/broken"
        (broken / "versions/1").mkdir(parents=True)
        (broken / "files").symlink_to("versions/1/files")
        found = self.diagnose()
        self.assert_bad(found["runtimes"][-1], "broken")

    def test_runtime_folder(self):
        found = self.diagnose(environment={"XDG_RUNTIME_DIR": str(self.work / "missing")})
        self.assert_bad(found["runtime-folder"][0], "missing", "XDG_RUNTIME_DIR")


if __name__ == "__main__":
    harness.main()
