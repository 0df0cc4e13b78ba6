"""A folder through disorderfs, which gives the files of each folder in reverse order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kiln.core import KilnError

PROGRAM = "disorderfs"
# Where root's folders are reached by every user: disorderfs opens a file as the user who asks for it, and the folders
# above a home are often closed to others.
_OPEN = Path("/run")


@contextlib.contextmanager
def shuffled(folder: Path, place: Path) -> Iterator[str]:
    """Mount `folder` at the empty folder `place`; the value is empty, or says why that is not possible here."""
    unmount(place)
    place.mkdir(exist_ok=True)
    why = _mount(folder, place)
    try:
        yield why
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Take away a mount at `place`, also one that a killed run left. Raises KilnError where it stays."""
    _unmount(place, "fusermount3", "-u", "-z")
    door = _door(place)
    _unmount(door, "umount", "--lazy")
    if door.is_dir():
        door.rmdir()


def _unmount(place: Path, *command: str) -> None:
    if not _is_mounted(place):
        return
    done = subprocess.run([*command, str(place)], capture_output=True, text=True)
    if _is_mounted(place):
        raise KilnError(
            f"{place} cannot be unmounted ({done.stderr.strip() or f'status {done.returncode}'})",
            "unmount it by hand, then run again",
        )


def _mount(folder: Path, place: Path) -> str:
    program = shutil.which(PROGRAM)
    if not program or not shutil.which("fusermount3"):
        return f"{PROGRAM} is missing: install {PROGRAM} and fuse3"
    many = os.getuid() == 0
    if many:
        door = _door(place)
        door.mkdir(exist_ok=True)
        if why := _failure("mount", "--bind", str(folder), str(door)):
            return why
        folder = door
    return _failure(
        program, "--quiet", f"--multi-user={'yes' if many else 'no'}", "--shuffle-dirents=no",
        "--reverse-dirents=yes", "--pad-blocks=0", str(folder), str(place),
    )  # fmt: skip


def _door(place: Path) -> Path:
    return _OPEN / f"kiln-{hashlib.sha256(bytes(place.absolute())).hexdigest()[:16]}"


def _failure(*command: str) -> str:
    """Run a command; empty, or why `order` is not possible here."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, umask=0, cwd="/")
    if not done.returncode:
        return ""
    lines = done.stderr.strip().splitlines()
    why = lines[-1] if lines else f"status {done.returncode}"
    return f"{Path(command[0]).name} does not run ({why}): use a machine with FUSE, as root"


def _is_mounted(place: Path) -> bool:
    # The kernel's own list also has a folder that is mounted in another of the same disk, and a mount whose program
    # was killed.
    name = str(place.parent.resolve() / place.name)
    for character in "\\ \t\n":
        name = name.replace(character, f"\\{ord(character):03o}")
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return any(line.split()[4] == name for line in lines)
