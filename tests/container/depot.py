# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runtimes as Steam ships them: a manifest, and a folder `files` that lacks links and whatever is
empty."""

import gzip
import hashlib
import os
import pathlib
import shutil
import stat

PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/,:@~^%"


def escape(name):
    """As mtree(5) has it."""
    return b"".join(bytes([byte]) if byte in PLAIN else b"\\%03o" % byte
                    for byte in os.fsencode(name))


def describe(path):
    """The keywords of one file."""
    st = path.lstat()
    words = [b"time=%d.%09d" % divmod(st.st_mtime_ns, 10 ** 9)]
    if stat.S_ISLNK(st.st_mode):
        return [b"type=link", b"link=" + escape(os.readlink(path)), *words]
    if stat.S_ISDIR(st.st_mode):
        return [b"type=dir", b"mode=755", *words]
    words += [b"mode=" + (b"755" if st.st_mode & 0o111 else b"644"), b"size=%d" % st.st_size]
    if st.st_size > 0:
        words.append(b"sha256=" + hashlib.sha256(path.read_bytes()).hexdigest().encode())
    return [b"type=file", *words]


def list_lines(tree):
    """A line for each file below @tree."""
    lines = [b"#mtree", b". " + b" ".join(describe(tree)), b"./.ref type=file size=0 mode=644"]
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree)
        if str(name) != ".ref":
            lines.append(b" ".join([b"./" + escape(name), *describe(path)]))
    return lines


def write_manifest(folder, lines, compressed=True):
    """Beside `files` in @folder; the other kind goes."""
    text = b"\n".join(lines) + b"\n"
    for name in ("usr-mtree.txt", "usr-mtree.txt.gz"):
        (folder / name).unlink(missing_ok=True)
    path = folder / ("usr-mtree.txt.gz" if compressed else "usr-mtree.txt")
    path.write_bytes(gzip.compress(text) if compressed else text)
    return path


def read_manifest(folder):
    """The lines of the one that was written there, compressed."""
    return gzip.decompress((folder / "usr-mtree.txt.gz").read_bytes()).split(b"\n")


def minimize(files):
    """Removes what a depot cannot have: links, empty files, and folders in which nothing is left."""
    for path, folders, names in os.walk(files, topdown=False):
        for name in names + folders:
            inner = os.path.join(path, name)
            if os.path.islink(inner) or (os.path.isfile(inner) and os.stat(inner).st_size == 0):
                os.unlink(inner)
            elif os.path.isdir(inner) and not os.listdir(inner):
                os.rmdir(inner)


def list_unreadable(folder, names):
    """What belongs to root alone."""
    paths = [os.path.join(folder, name) for name in names]
    return [name for name, path in zip(names, paths)
            if not os.path.islink(path) and not os.access(path, os.R_OK)]


def make(source, folder, compressed=True):
    """A depot in @folder, of what is in @source; returns the lines of its manifest."""
    files = pathlib.Path(folder, "files")
    shutil.copytree(source, files, symlinks=True, ignore=list_unreadable)
    for path in files.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o111 else 0o644)
    lines = list_lines(files)
    minimize(files)
    (files / ".ref").touch()
    write_manifest(files.parent, lines, compressed)
    return lines
