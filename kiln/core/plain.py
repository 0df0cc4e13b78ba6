"""Files in folders where others can write too: no link is followed, and nothing but a plain file is read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kiln.core.errors import SourceError

_MODE = 0o644


@contextmanager
def plain(path: Path) -> Iterator[BinaryIO]:
    """A file to read. Raises SourceError for a link, and for what is not a file; OSError as `open` does."""
    try:
        # Without waiting for one who writes to a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        # A link, and a socket.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _refused(path) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _refused(path)
    with os.fdopen(handle, "rb") as stream:
        yield stream


def is_plain(path: Path) -> bool:
    """Whether something is a file, and not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


@contextmanager
def new(path: Path) -> Iterator[BinaryIO]:
    """A file to write that was not there before: what has its name, also a link, is removed first.

    Raises SourceError for a folder of that name.
    """
    if path.is_dir() and not path.is_symlink():
        raise _refused(path)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE)
    with os.fdopen(handle, "wb") as stream:
        yield stream


def _refused(path: Path) -> SourceError:
    return SourceError(f"{path} is a link, or not a file", "remove it, or put a file there")
