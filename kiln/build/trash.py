"""Removing the folder of a build, gigabytes in many files, without waiting for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

from kiln.core import remove

PREFIX = "trash-"
# Yields to everything else that uses the processor or the disk; folders that were made read-only are made writable.
_DELETE = """
ionice -c 3 -p $$ 2> /dev/null
rm -rf "$1" 2> /dev/null || { chmod -R u+rwX "$1"; rm -rf "$1"; }
"""


def discard(folder: Path, work: Path) -> None:
    """Make a folder disappear at once; a process of its own deletes what was in it.

    `work` is a folder on the same disk. What that process leaves, if it is killed, goes with the next `discard`.
    """
    if folder.exists():
        try:
            folder.rename(Path(tempfile.mkdtemp(prefix=PREFIX, dir=work)) / folder.name)
        except OSError:  # on another disk
            remove(folder)
    for left in work.glob(f"{PREFIX}*"):
        _delete(left)


def _delete(folder: Path) -> None:
    """Have a process delete a folder, if none is deleting it already.

    The process holds a lock on the folder. It is on its own: it holds nothing of this process, and outlives it.
    """
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            subprocess.run(
                ["sh", "-c", 'nice -n 19 sh -c "$1" sh "$2" &', "sh", _DELETE, str(folder)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(handle,),
                start_new_session=True,
            )
        except BlockingIOError:
            pass
        finally:
            os.close(handle)
