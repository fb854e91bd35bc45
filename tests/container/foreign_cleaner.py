# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cleaner that knows only what is published: lib/lock/locking.md, "Mutable copies".

Written apart from ours, and without any of its parts: it locks the parent, then each copy without
waiting, and deletes what nobody has.  foreign_cleaner.py DIR [COUNT]: so often, or without end."""

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import time


@contextlib.contextmanager
def exclusive(path):
    """Yields whether it was granted."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        lock = struct.pack("@hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def clean_copy(path):
    if os.path.lexists(f"{path}/keep"):
        return
    try:
        with exclusive(f"{path}/.ref") as granted:
            if granted:
                subprocess.run(["rm", "-rf", path], check=False, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        # Nobody can hold what is not there, and nobody sets it up while the parent is locked.
        subprocess.run(["rm", "-rf", path], check=False, stderr=subprocess.DEVNULL)


def clean(parent):
    with contextlib.suppress(FileNotFoundError), exclusive(f"{parent}/.ref") as granted:
        if not granted:
            return False
        for name in os.listdir(parent):
            if name.startswith("tmp-"):
                clean_copy(f"{parent}/{name}")
        return True
    return False


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else -1
    while count != 0:
        done = clean(sys.argv[1])
        count -= done
        # Or nobody else would ever be granted anything.
        time.sleep(0.001)


if __name__ == "__main__":
    main()
