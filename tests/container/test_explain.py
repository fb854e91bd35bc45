#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pvctl explain: what it says of a path is what a program finds there."""

import json
import os
import shutil

import harness

PVCTL = os.environ.get("PVCTL") or shutil.which("pvctl") or "pvctl"


class ExplainTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.files = self.make_runtime()
        self.environment["PV_LAUNCH"] = harness.PV_LAUNCH
        self.home = self.folder / "home"
        self.other = self.folder / "other"
        self.other.mkdir()

    def explain(self, *paths, options=(), words=()):
        return self.finish(self.start(*words, *map(str, paths), "--", "--runtime=scout", *options,
                                      command=[PVCTL, "explain"]))

    def explain_one(self, path, *options):
        result = self.explain(path, options=options, words=["--json"])
        self.assertEqual(result.err, "")
        answer, = json.loads(result.text)
        self.assertEqual(result.status, 0 if answer["visible"] else 1)
        return answer

    def check(self, path, *options):
        """Against what is there."""
        answer = self.explain_one(path, *options)
        st = os.stat(path)
        result = self.run_launch("--runtime=scout", *options, "--", "probe", "stat", str(path))
        self.assertEqual(result.text.strip() == f"{st.st_dev}:{st.st_ino}", answer["visible"], path)
        for place in answer["places"]:
            result = self.run_launch("--runtime=scout", *options, "--", "probe", "stat",
                                     place["path"])
            self.assertEqual(result.text.strip(), f"{st.st_dev}:{st.st_ino}", place)
        return answer

    def test_home(self):
        answer = self.check(self.home)
        self.assertTrue(answer["visible"] and answer["places"][0]["writable"])
        self.assertFalse(self.check(self.home, "--unshare-home")["visible"])

    def test_share(self):
        answer = self.check(self.other)
        self.assertFalse(answer["visible"])
        self.assertEqual(answer["hint"], f"--filesystem={self.other} shares it")
        answer = self.check(self.other, f"--filesystem={self.other}:ro")
        self.assertTrue(answer["visible"])
        self.assertFalse(answer["places"][0]["writable"])
        answer = self.check(self.other, f"--filesystem={self.folder}")
        self.assertTrue(answer["places"][0]["writable"])

    def test_host_files(self):
        answer = self.check("/etc/hosts")
        self.assertTrue(answer["visible"])
        self.assertEqual(answer["places"][0]["path"], "/etc/hosts")
        self.assertEqual(answer["places"][0]["links"][0]["dest"], "/etc/hosts")
        answer = self.check("/etc/passwd")
        self.assertFalse(answer["visible"])
        self.assertEqual([place["path"] for place in answer["places"]], ["/run/host/etc/passwd"])

    def test_runtime(self):
        answer = self.check("/usr")
        self.assertEqual((answer["visible"], answer["instead"]["dest"]), (False, "/usr"))
        self.assertIn("/usr is the container's own", answer["hint"])

    def test_link_that_leads_out(self):
        """Its target is what counts."""
        (self.home / "link").symlink_to(self.other)
        answer = self.check(self.home / "link")
        self.assertEqual((answer["visible"], answer["real_path"]), (False, str(self.other)))
        self.assertEqual(answer["hint"], f"--filesystem={self.other} shares it")
        self.assertTrue(self.check(self.home / "link", f"--filesystem={self.other}")["visible"])
        (self.home / "near").symlink_to(".")
        self.assertTrue(self.check(self.home / "near")["visible"])

    def test_text(self):
        result = self.explain(self.home, self.other, "/etc/hosts")
        self.assertEqual(result.status, 1)
        lines = result.text.splitlines()
        self.assertEqual(lines[0], f"{self.home}: visible")
        self.assertEqual(lines[1], f"  as {self.home}, writable")
        self.assertIn(f"{self.other}: not visible", lines)
        self.assertIn(f"  hint: --filesystem={self.other} shares it", lines)
        self.assertIn("    link     /etc/hosts -> /run/host/etc/hosts (the host's)", lines)

    def test_failures(self):
        result = self.explain(self.other / "missing")
        self.assertEqual((result.status, result.out), (125, b""))
        self.assertIn(str(self.other / "missing"), result.err)
        result = self.explain(self.home, options=["--filesystem=/usr/x"])
        self.assertEqual(result.status, 125)
        self.assertIn("/usr", result.lines[0])
        result = self.finish(self.start(command=[PVCTL, "explain"]))
        self.assertEqual(result.status, 2)
        result = self.explain(self.home, words=["--wrong"])
        self.assertEqual(result.status, 2)

    def test_nothing_is_written(self):
        self.explain(self.home, options=[f"--runtime-mutable-parent={self.work / 'copies'}"])
        self.assertFalse((self.work / "copies").exists())


if __name__ == "__main__":
    harness.main()
