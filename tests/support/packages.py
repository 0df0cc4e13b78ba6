"""Debian packages made by hand, with a control file and a few files."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

CONTROL = """\
Package: {name}
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.invalid>
Description: a package for tests
"""


def deb(folder: Path, name: str, *members: tarfile.TarInfo, **files: bytes) -> Path:
    """The package `name` in a folder; `files` are files by path, in which __ stands for a slash."""
    infos = [*members]
    content = {}
    for path, data in files.items():
        info = tarfile.TarInfo("./" + path.replace("__", "/"))
        info.size = len(data)
        content[info.name] = data
        infos.append(info)
    control = CONTROL.format(name=name).encode()
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar([_info("./control", control)], {"./control": control}, "gz"),
        "data.tar.xz": _tar(infos, content, "xz"),
    }
    made = b"!<arch>\n"
    for member, data in parts.items():
        made += (
            f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
            + data
            + b"\n" * (len(data) % 2)
        )
    file = folder / f"{name}_1.0_all.deb"
    file.write_bytes(made)
    return file


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def folder(path: str, mode: int = 0o755) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info


def link(path: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info


def _info(name: str, data: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info


def _tar(infos: list[tarfile.TarInfo], content: dict[str, bytes], kind: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
        for info in infos:
            tar.addfile(info, io.BytesIO(content[info.name]) if info.name in content else None)
    return file.getvalue()
