"""A folder through disorderfs, which gives the files of each folder in reverse order."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kiln.core import KilnError

PROGRAM = "disorderfs"


@contextlib.contextmanager
def shuffled(folder: Path, place: Path) -> Iterator[str]:
    """Mount `folder` at the empty folder `place`; the value is empty, or says why that is not possible here."""
    unmount(place)
    place.mkdir(exist_ok=True)
    why = _mount(folder, place)
    try:
        yield why
    finally:
        if not why:
            unmount(place)


def unmount(place: Path) -> None:
    """Take away a mount at `place`, also one that a killed run left. Raises KilnError where it stays."""
    if not _is_mounted(place):
        return
    done = subprocess.run(["fusermount3", "-u", "-z", str(place)], capture_output=True, text=True)
    if _is_mounted(place):
        raise KilnError(
            f"{place} cannot be unmounted ({done.stderr.strip() or f'status {done.returncode}'})",
            "unmount it by hand, then run again",
        )


def _mount(folder: Path, place: Path) -> str:
    program = shutil.which(PROGRAM)
    if not program or not shutil.which("fusermount3"):
        return f"{PROGRAM} is missing: install {PROGRAM} and fuse3"
    many = "yes" if os.getuid() == 0 else "no"
    command = [
        program, "--quiet", f"--multi-user={many}", "--shuffle-dirents=no", "--reverse-dirents=yes",
        "--pad-blocks=0", str(folder), str(place),
    ]  # fmt: skip
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, umask=0, cwd="/"
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return f"{PROGRAM} does not run ({lines[-1] if lines else f'status {done.returncode}'}): use a machine with FUSE"
    return ""


def _is_mounted(place: Path) -> bool:
    try:
        return os.path.ismount(place)
    except OSError:  # its program was killed
        return True
