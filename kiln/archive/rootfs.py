"""A root file system as a tar whose bytes depend on its content alone."""

from __future__ import annotations

import re
import stat
import tarfile
from pathlib import Path

# What engines put into every container themselves, what only says when and where packages were installed, and
# caches that are made again (Python's would be stale besides: they hold the times of their sources).
_DROPPED = re.compile(
    r"(dev|proc|sys|run|tmp)/.*|\.dockerenv"
    r"|etc/(hostname|hosts|resolv\.conf|mtab|machine-id|shadow|\.pwd\.lock)|etc/[a-z]+-"
    r"|var/lib/dpkg/.*-old|(.*/)?__pycache__(/.*)?"
)
# Folders of which only the folders inside are kept.
_EMPTIED = re.compile(r"var/(cache|log|tmp|lib/apt/lists)/.*")


def normalise(exported: Path, target: Path, epoch: int) -> None:
    """Write the new tar `target` with the files that an engine exported, sorted and without traces of time.

    Modes, owners and links are kept, every time is `epoch` (seconds since 1970). Devices, sockets and pipes
    are left out: an engine makes those that a container has.
    """
    with tarfile.open(exported) as source, tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as result:
        entries = {name: info for info in source if (name := _kept(info))}
        firsts: dict[str, str] = {}
        for name in sorted(entries):
            info = entries[name]
            if not info.isreg() and not info.islnk():
                result.addfile(_header(name, info, info.type, epoch, info.linkname))
                continue
            # Of the names of one file, the first in this order gets the content.
            first = firsts.setdefault(_name(info.linkname) if info.islnk() else name, name)
            if first == name:
                content = source.getmember(info.linkname) if info.islnk() else info
                header = _header(name, content, tarfile.REGTYPE, epoch)
                header.size = content.size
                result.addfile(header, source.extractfile(content))
            else:
                result.addfile(_header(name, info, tarfile.LNKTYPE, epoch, first))


def _kept(info: tarfile.TarInfo) -> str | None:
    """An entry's name in normal form; None for one that is left out."""
    name = _name(info.name)
    if not name or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        return None
    if _DROPPED.fullmatch(name) or (_EMPTIED.fullmatch(name) and not info.isdir()):
        return None
    return name


def _name(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _header(name: str, info: tarfile.TarInfo, kind: bytes, epoch: int, link: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = kind
    header.mode = stat.S_IMODE(info.mode)
    header.uid, header.gid = info.uid, info.gid
    header.mtime = epoch
    header.linkname = link
    return header
