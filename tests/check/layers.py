#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each folder of lib/ is a layer: it includes only those that are named behind it."""

import re
import tap

LIBC = None  # no header of the project but its own

MAY_INCLUDE = {
    "lib/base": set(),
    "lib/lock": {"base"},
    "lib/host": {"base"},
    "lib/runtime": {"base", "lock"},
    "lib/copy": {"base", "lock", "runtime"},
    "lib/plan": {"base", "host", "runtime"},
    "lib/launch": {"base", "host", "lock", "plan"},
    "lib/instance": {"base", "lock"},
    "lib/steam": {"base"},
    "lib/graphics": {"base", "lock", "runtime"},
    "launcher/supervise": LIBC,
}

LIBC_ONLY = {"launcher/pv-supervise.c"}

# What the launcher and the supervisors say to each other; includes nothing but libc itself.
PROTOCOL = "launch/protocol.h"

TOP_FOLDERS = {".ci", "build-aux", "launcher", "lib", "runtimes", "tests"}
TOP_FILES = {
    ".clang-format", ".editorconfig", ".gitattributes", ".gitignore", "CONTRIBUTING.md", "COPYING",
    "README.md", "SECURITY.md", "meson.build", "meson_options.txt",
}
IGNORED_AT_TOP = {".git", "build"}

QUOTED = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
ANGLED = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.MULTILINE)
FOREIGN = ("glib", "gio", "jansson", "archive", "libelf", "seccomp", "sys/capability")


def get_layer(path):
    parts = path.parts
    if str(path) in LIBC_ONLY:
        return "launcher/supervise"
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def check_include(path, included):
    """Returns: why @path may not include @included, or None"""
    layer = get_layer(path)
    folder, _, rest = included.partition("/")
    if layer not in MAY_INCLUDE:
        if layer.startswith("lib"):
            return f"{path}: \"{layer}\" is no layer of the design"
        return None
    if MAY_INCLUDE[layer] is LIBC:
        if included == PROTOCOL or folder == "supervise" or (tap.SOURCE / path.parent / included).is_file():
            return None
        return f"{path}: \"{included}\": the supervisor knows only itself and libc"
    own = layer.split("/")[1]
    if not rest:
        return f"{path}: \"{included}\": name its layer too"
    if folder != own and folder not in MAY_INCLUDE[layer]:
        return f"{path}: {layer} must not include \"{included}\""
    return None


def check_includes():
    problems = []
    for path in tap.list_files("*.c", "*.h"):
        text = tap.read(path)
        problems += [why for name in QUOTED.findall(text) if (why := check_include(path, name))]
        if MAY_INCLUDE.get(get_layer(path), set()) is LIBC or str(path).endswith(PROTOCOL):
            problems += [f"{path}: <{name}>: the supervisor is libc only"
                         for name in ANGLED.findall(text) if name.startswith(FOREIGN)]
        problems += [f"{path}: <{name}>: GIO costs more than all of GLib"
                     for name in ANGLED.findall(text) if name.startswith("gio")]
    return problems


def check_folders():
    problems = []
    for entry in tap.SOURCE.iterdir():
        known = TOP_FOLDERS if entry.is_dir() and not entry.is_symlink() else TOP_FILES
        if entry.name not in known | IGNORED_AT_TOP and not entry.name.startswith("build"):
            problems.append(f"{entry.name}: the top level has no such thing")
    for entry in (tap.SOURCE / "lib").iterdir():
        if entry.is_dir() and f"lib/{entry.name}" not in MAY_INCLUDE:
            problems.append(f"lib/{entry.name}: no layer of the design")
    return problems


def check_table():
    """The order of the table itself has no circle."""
    problems = []
    done = set()
    pending = {name.split("/")[1]: allowed for name, allowed in MAY_INCLUDE.items()
               if name.startswith("lib/")}
    while pending:
        ready = [name for name, allowed in pending.items() if allowed <= done]
        if not ready:
            problems.append(f"these include each other: {', '.join(sorted(pending))}")
            break
        for name in ready:
            done.add(name)
            del pending[name]
    return problems


def main():
    report = tap.Report()
    report.check("no circle among the layers", check_table())
    report.check("include directions", check_includes())
    report.check("folders", check_folders())
    report.finish()


if __name__ == "__main__":
    main()
