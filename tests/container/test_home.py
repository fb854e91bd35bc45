#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The home folder: the user's own, another one, an empty one, and what is shared around it."""

import contextlib
import errno
import os
import pathlib
import tempfile

import harness


class HomeTest(harness.SurroundingsCase):
    def setUp(self):
        super().setUp()
        self.home = self.folder / "home"
        (self.home / "file").write_text("at home")

    def test_shared(self):
        for options in ([], ["--share-home"]):
            self.assertEqual(self.probe("cat", f"{self.home}/file", options=options), "at home")
        self.assertEqual(self.write_inside(f"{self.home}/new"), 0)
        self.assertEqual((self.home / "new").read_text(), "written")

    def test_private(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "file").write_text("elsewhere")
        option = f"--home={other}"
        self.assertEqual(self.probe("cat", f"{self.home}/file", options=[option]), "elsewhere")
        self.assertEqual(self.write_inside(f"{self.home}/new", option), 0)
        self.assertEqual((other / "new").read_text(), "written")
        self.assertFalse((self.home / "new").exists())
        self.assertEqual(self.get_variables(option)["HOME"], str(self.home))

    def test_unshared(self):
        self.assertFalse(self.is_there(f"{self.home}/file", "--unshare-home"))
        self.assertEqual(self.write_inside(f"{self.home}/new", "--unshare-home"), 0)
        self.assertFalse((self.home / "new").exists())
        self.assertFalse(self.is_there(f"{self.home}/new", "--unshare-home"))

    def test_unshared_from_home(self):
        """The current folder is the home that is to be kept out."""
        self.make_runtime("../home/scout/files")
        result = self.run_launch(f"--runtime={self.files}", "--unshare-home", "--", "probe", "stat",
                                 "file", cwd=self.home)
        self.assertEqual(result.status, 1)

    def test_link(self):
        (self.folder / "link").symlink_to("home")
        variables = {"HOME": str(self.folder / "link")}
        self.assertEqual(self.probe("cat", f"{self.folder}/link/file", environment=variables),
                         "at home")
        self.assertFalse(self.is_there(f"{self.folder}/link/file", "--unshare-home",
                                       environment=variables))
        self.assertTrue(self.is_there(f"{self.folder}/link", "--unshare-home",
                                      environment=variables))

    def test_missing(self):
        self.assertEqual(self.probe("args", "a", environment={"HOME": "/no/such/home"}), "a\0")

    def test_own_variables_count(self):
        """Those that pressure-vessel has answer only what ours leave open."""
        other = self.folder / "other"
        other.mkdir()
        (other / "file").write_text("elsewhere")
        for environment, expected in (
                ({"PRESSURE_VESSEL_HOME": other}, "elsewhere"),
                ({"PV_LAUNCH_SHARE_HOME": 1, "PRESSURE_VESSEL_HOME": other}, "at home"),
                ({"PV_LAUNCH_UNSHARE_HOME": 0, "PRESSURE_VESSEL_SHARE_HOME": 0}, "at home"),
                ({"PV_LAUNCH_HOME": other, "PRESSURE_VESSEL_SHARE_HOME": 1}, "elsewhere")):
            with self.subTest(environment):
                variables = {name: str(value) for name, value in environment.items()}
                self.assertEqual(self.probe("cat", f"{self.home}/file", environment=variables),
                                 expected)

    def test_contradictions(self):
        other = self.folder / "other"
        other.mkdir()
        (self.folder / "text").touch()
        for options, word in (
                ([f"--home={other}", f"--filesystem={self.home}"], str(self.home)),
                (["--unshare-home", f"--filesystem={self.home}"], str(self.home)),
                ([f"--home={self.folder}/text"], "not a folder")):
            with self.subTest(options):
                self.assert_failed(self.run_launch("--runtime=scout", *options, "--", "probe"), word)

    def test_command_line_counts(self):
        """What it says of the home makes void all that the environment says of it."""
        other = self.folder / "other"
        other.mkdir()
        (other / "file").write_text("elsewhere")
        for variable, value, options, expected in (
                ("PV_LAUNCH_HOME", other, [], "elsewhere"),
                ("PV_LAUNCH_HOME", other, ["--unshare-home"], None),
                ("PV_LAUNCH_HOME", other, ["--share-home"], "at home"),
                ("PV_LAUNCH_SHARE_HOME", 1, [f"--home={other}"], "elsewhere"),
                ("PV_LAUNCH_SHARE_HOME", 0, [f"--home={other}"], "elsewhere"),
                ("PV_LAUNCH_SHARE_HOME", 1, ["--unshare-home"], None),
                ("PV_LAUNCH_UNSHARE_HOME", 1, [], None),
                ("PV_LAUNCH_UNSHARE_HOME", 0, [], "at home"),
                ("PV_LAUNCH_UNSHARE_HOME", 1, ["--share-home"], "at home"),
                ("PV_LAUNCH_UNSHARE_HOME", 1, [f"--home={other}"], "elsewhere")):
            with self.subTest((variable, value, options)):
                others = {"options": options, "environment": {variable: str(value)}}
                if expected is None:
                    self.assertEqual(self.probe("write", f"{self.home}/new", **others), "written\n")
                    self.assertFalse((self.home / "new").exists())
                    self.assertFalse((other / "new").exists())
                else:
                    self.assertEqual(self.probe("cat", f"{self.home}/file", **others), expected)

    def test_read_only(self):
        """What is shared without being asked for does not undo it."""
        folder = self.home / "game"
        folder.mkdir()
        options = [f"--runtime={self.files}", f"--filesystem={self.home}:ro"]
        for path in (self.home / "new", folder / "new", folder / "file"):
            self.assertEqual(self.write_inside(path, *options, cwd=folder), errno.EROFS)
        self.assertEqual(self.probe("cat", "../file", options=options, cwd=folder), "at home")
        self.assertEqual(os.listdir(folder), [])

    def test_cookie_in_an_unshared_one(self):
        cookie = self.home / ".Xauthority"
        cookie.write_text("cookie")
        for option in ("--unshare-home", f"--home={self.work}"):
            variables = {"XAUTHORITY": str(cookie)}
            self.assertEqual(self.probe("cat", str(cookie), options=[option],
                                        environment=variables), "cookie")
            self.assertFalse(self.is_there(f"{self.home}/file", option, environment=variables))
        self.assertEqual(cookie.read_text(), "cookie")


class OtherHomeTest(harness.SurroundingsCase):
    """--unshare-home and --home, with something shared above the home or below it."""

    def setUp(self):
        super().setUp()
        self.other = self.folder / "other"
        self.other.mkdir()
        (self.other / "file").write_text("elsewhere")
        self.home = self.make_home(self.folder / "people")

    def make_home(self, parent):
        """With modes that nobody gives to a folder by accident."""
        home = parent / "user"
        (home / "game").mkdir(parents=True)
        (home / "game/file").write_text("a game")
        (home / "secret").write_text("at home")
        home.chmod(0o750)
        parent.chmod(0o751)
        self.environment["HOME"] = str(home)
        return home

    @contextlib.contextmanager
    def make_home_below_tmp(self):
        """Whose own mode is put right again if that went wrong."""
        mode = os.stat("/tmp").st_mode & 0o7777
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            try:
                yield self.make_home(pathlib.Path(folder, "people"))
            finally:
                with contextlib.suppress(PermissionError):
                    os.chmod("/tmp", mode)

    def look(self, home):
        """What must not change."""
        modes = {str(path): oct(path.stat().st_mode) for path in (home, *home.parents)}
        return modes, sorted(os.listdir(home)), sorted(os.listdir(home / "game"))

    def check(self, home, *options, **others):
        before = self.look(home)
        for option in ("--unshare-home", f"--home={self.other}"):
            with self.subTest((option, *options)):
                words = [f"--runtime={self.files}", option, *options]
                is_there = self.is_there(home / "secret", *words, **others)
                self.assertEqual(self.look(home), before)
                self.assertFalse(is_there)
                self.assertEqual(self.write_inside(home / "new", *words, **others), 0)
                self.assertEqual(self.look(home), before)
        self.assertEqual((self.other / "new").read_text(), "written")

    def test_current_folder_above(self):
        self.check(self.home, cwd=self.home.parent)
        self.check(self.home, cwd=self.folder)

    def test_shared_above(self):
        for folder in (self.home.parent, self.folder):
            self.check(self.home, f"--filesystem={folder}")

    def test_all_above(self):
        self.check(self.home, f"--filesystem={self.folder}", cwd=self.home.parent)

    def test_below_tmp(self):
        with self.make_home_below_tmp() as home:
            self.check(home)
            self.check(home, cwd=home.parent)
            self.check(home, f"--filesystem={home.parent}", cwd="/tmp")

    def check_below(self, home):
        """The current folder comes with the program, but nothing else of the home."""
        before = self.look(home)
        for option in ("--unshare-home", f"--home={self.other}"):
            words = [f"--runtime={self.files}", option]
            self.assertEqual(self.probe("cat", "file", options=words, cwd=home / "game"), "a game")
            self.assertEqual(self.write_inside(home / "game/new", *words, cwd=home / "game"), 0)
            (home / "game/new").unlink()
            self.assertFalse(self.is_there(home / "secret", *words, cwd=home / "game"))
            self.assertEqual(self.look(home), before)

    def test_current_folder_below(self):
        self.check_below(self.home)
        with self.make_home_below_tmp() as home:
            self.check_below(home)


if __name__ == "__main__":
    harness.main()
