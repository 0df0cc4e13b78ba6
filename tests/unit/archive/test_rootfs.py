from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kiln.archive import rootfs

EPOCH = 1585958400


def entry(name: str, kind: bytes = tarfile.REGTYPE, **values: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in values.items():
        setattr(info, key, value)
    return info


def tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def normal(tmp_path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> list[tarfile.TarInfo]:
    exported = tar(tmp_path / "exported.tar", *entries)
    rootfs.normalise(exported, tmp_path / "normal.tar", EPOCH)
    with tarfile.open(tmp_path / "normal.tar") as archive:
        return archive.getmembers()


def test_modes_owners_and_links_stay_and_times_do_not(tmp_path: Path) -> None:
    found = normal(
        tmp_path,
        (entry("./usr/", tarfile.DIRTYPE, mode=0o755), b""),
        (entry("./usr/bin/su", mode=0o4755, uid=0, gid=42, mtime=99, uname="root"), b"program"),
        (entry("./bin", tarfile.SYMTYPE, linkname="usr/bin"), b""),
    )
    assert [(info.name, info.type, info.mode, info.gid, info.linkname, info.uname) for info in found] == [
        ("bin", tarfile.SYMTYPE, 0o644, 0, "usr/bin", ""),
        ("usr", tarfile.DIRTYPE, 0o755, 0, "", ""),
        ("usr/bin/su", tarfile.REGTYPE, 0o4755, 42, "", ""),
    ]
    assert {info.mtime for info in found} == {EPOCH}


def test_what_an_engine_puts_in_and_what_only_tells_the_time_is_left_out(tmp_path: Path) -> None:
    folders = ["dev", "proc", "run", "var", "var/cache", "var/cache/apt", "var/log", "etc"]
    files = [
        ".dockerenv", "dev/console", "proc/x", "run/.containerenv", "etc/hosts", "etc/resolv.conf",
        "etc/shadow", "etc/passwd-", "var/cache/ldconfig/aux-cache", "var/cache/apt/pkgcache.bin",
        "var/log/dpkg.log",
        "var/lib/dpkg/status-old", "usr/lib/python3/__pycache__/x.cpython-311.pyc",
    ]  # fmt: skip
    kept = ["etc/passwd", "var/lib/dpkg/status", "usr/lib/python3/x.py", "etc/apt/hosts"]
    found = normal(
        tmp_path,
        *((entry(name, tarfile.DIRTYPE), b"") for name in folders),
        *((entry(name), b"x") for name in (*files, *kept)),
        (entry("dev/null", tarfile.CHRTYPE), b""),
    )
    assert [info.name for info in found] == sorted([*folders, *kept])


def test_a_hard_link_keeps_its_content_whichever_name_comes_first(tmp_path: Path) -> None:
    found = normal(
        tmp_path, (entry("./z", mode=0o755), b"content"), (entry("./a", tarfile.LNKTYPE, linkname="./z"), b"")
    )
    assert [(info.name, info.type, info.size, info.linkname) for info in found] == [
        ("a", tarfile.REGTYPE, 7, ""), ("z", tarfile.LNKTYPE, 0, "a"),
    ]  # fmt: skip
    with tarfile.open(tmp_path / "normal.tar") as archive:
        content = archive.extractfile("z")
        assert content and content.read() == b"content"


@given(names=st.sets(st.text("abc", min_size=1, max_size=4), max_size=12), seed=st.integers())
def test_order_and_times_of_what_is_exported_do_not_matter(
    tmp_path_factory: object, names: set[str], seed: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("tars")  # type: ignore[attr-defined]
    results = []
    for number in (1, 2):
        order = sorted(names)
        random.Random(seed + number).shuffle(order)
        exported = tar(
            folder / "in.tar", *((entry(f"./{name}", mtime=number), name.encode()) for name in order)
        )
        rootfs.normalise(exported, folder / "out.tar", EPOCH)
        results.append((folder / "out.tar").read_bytes())
    assert results[0] == results[1]
