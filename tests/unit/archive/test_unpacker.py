from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import stat
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.archive import tree_digest, unpack
from kiln.core.errors import SourceError
from tests.support import archives
from tests.support.archives import FORMATS, File, Link, Tree, header, pack, special, tar

TREE = {
    "README": File(b"read me\n"),
    "bin/run": File(b"#!/bin/sh\n", executable=True),
    "bin/deep/er/empty": File(),
    "lib/link": Link("../bin/run"),
    "lib/dangling": Link("nowhere"),
}

letters = st.characters(codec="utf-8", exclude_characters="/", exclude_categories=["Cc"])
names = st.text(letters, min_size=1, max_size=8).filter(lambda name: name not in (".", "..", ".git"))
files = st.builds(File, st.binary(max_size=40), st.booleans())


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees in which no path is both a file and a folder."""
    paths = draw(st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6))
    tree: dict[str, File | Link] = {}
    for path in paths:
        if not any(
            path == other or path.startswith(other + "/") or other.startswith(path + "/") for other in tree
        ):
            tree[path] = draw(st.one_of(files, st.just(Link("x")), names.map(Link)))
    return tree


def unpacked(data: bytes, folder: Path, member: str | None = None, epoch: int = 0) -> Path:
    (folder / "archive").write_bytes(data)
    unpack(folder / "archive", folder / "tree", member, epoch)
    return folder / "tree"


def refusal(data: bytes, folder: Path, member: str | None = None) -> str:
    """Why an archive is not unpacked; nothing of it may be left anywhere."""
    inner = folder / "place" / "inner"
    inner.mkdir(parents=True)
    with pytest.raises(SourceError) as caught:
        unpacked(data, inner, member)
    assert [path.name for path in (folder / "place").rglob("*")] == ["inner", "archive"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=40)
@given(trees(), st.sampled_from(FORMATS), st.integers(0, 2**31), st.randoms(use_true_random=False))
def test_a_trees_digest_is_one_whatever_the_archives_form_order_and_times(
    tree: Tree, form: str, time: int, chance: random.Random
) -> None:
    order = list(tree)
    chance.shuffle(order)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        found = unpacked(pack(tree, form, order, time, "pack-1.0/"), path, "pack-1.0", time)
        assert tree_digest(found) == tree_digest(archives.write(tree, path / "written"))


@settings(max_examples=40)
@given(trees(), trees())
def test_two_trees_have_one_digest_only_where_they_are_the_same(one: Tree, other: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        digests = [
            tree_digest(archives.write(tree, Path(folder) / name))
            for name, tree in (("a", one), ("b", other))
        ]
    assert (digests[0] == digests[1]) == (one == other)


def test_a_trees_digest_is_the_one_that_the_documentation_describes(tmp_path: Path) -> None:
    def row(kind: str, content: bytes, path: str) -> bytes:
        return f"{kind} {hashlib.sha256(content).hexdigest()} {path}\n".encode()

    rows = [
        row("f", b"read me\n", "README"), row("f", b"", "bin/deep/er/empty"),
        row("x", b"#!/bin/sh\n", "bin/run"), row("l", b"nowhere", "lib/dangling"),
        row("l", b"../bin/run", "lib/link"),
    ]  # fmt: skip
    expected = hashlib.sha256(b"".join(rows)).hexdigest()
    folder = archives.write(TREE, tmp_path / "tree")
    assert tree_digest(folder) == expected
    (folder / "empty folder").mkdir()
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_bytes(b"x")
    assert tree_digest(folder) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_unpacked_has_two_modes_and_one_time(tmp_path: Path, form: str) -> None:
    usual = os.umask(0o077)
    try:
        root = unpacked(pack(TREE, form), tmp_path, epoch=1_000_000_000)
    finally:
        os.umask(usual)
    found = [root, *sorted(root.rglob("*"))]
    assert {path.lstat().st_mtime for path in found} == {1_000_000_000}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in found if not path.is_symlink()}
    assert modes == {
        "tree": 0o755, "README": 0o644, "bin": 0o755, "run": 0o755, "deep": 0o755, "er": 0o755,
        "empty": 0o644, "lib": 0o755,
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_only_what_is_below_the_member_is_unpacked(tmp_path: Path, form: str) -> None:
    data = pack({"a/b/in": File(b"x"), "a/bc": File(), "a/c/out": File(), "b/out": File()}, form)
    root = unpacked(data, tmp_path, "a/b")
    assert [path.name for path in root.iterdir()] == ["in"]


def test_a_member_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "no files below 'other'" in refusal(pack(TREE, "tar.gz"), tmp_path, "other")


def test_a_git_folder_inside_an_archive_is_left_out(tmp_path: Path) -> None:
    data = pack({"a": File(), ".git": File(b"gitdir: ../x"), "sub/.git/config": File(b"x")}, "tar")
    assert sorted(path.name for path in unpacked(data, tmp_path).rglob("*")) == ["a"]


def test_what_gnu_tar_and_its_long_names_make_is_read(tmp_path: Path) -> None:
    tree = {"/".join(["d" * 60] * 4) + "/file": File(b"x"), "link": Link("/".join(["d" * 60] * 3))}
    folder = archives.write(tree, tmp_path / "written")
    os.link(folder / next(iter(tree)), folder / "hard")
    for form in ("gnu", "pax", "ustar"):
        archive = tmp_path / form
        subprocess.run(["tar", f"--format={form}", "-C", folder, "-cf", archive, "."], check=form != "ustar")
        unpack(archive, tmp_path / f"{form}-tree")
        if form != "ustar":
            assert tree_digest(tmp_path / f"{form}-tree") == tree_digest(folder)


def test_a_hard_link_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    data = tar([header("a", File(b"x", True)), special("b", tarfile.LNKTYPE, "a")])
    root = unpacked(data, tmp_path)
    (root / "a").write_bytes(b"changed")
    assert (root / "b").read_bytes() == b"x"
    assert os.access(root / "b", os.X_OK)


def test_of_an_entry_that_is_there_twice_the_last_counts(tmp_path: Path) -> None:
    twice = tar([header("a", File(b"first", True)), header("b", File()), header("a", File(b"last"))])
    assert (unpacked(twice, tmp_path) / "a").read_bytes() == b"last"
    assert not os.access(tmp_path / "tree" / "a", os.X_OK)


LINK = header("a", Link("b"))
FILE = header("a", File(b"x"))
BELOW = header("a/x", File(b"x"))


@pytest.mark.parametrize("first", [LINK, FILE, BELOW], ids=["link", "file", "folder"])
@pytest.mark.parametrize(
    "second", [LINK, FILE, BELOW, special("a", tarfile.DIRTYPE)], ids=["link", "file", "below", "folder"]
)
def test_an_entry_that_is_there_twice_as_different_things_is_refused(
    tmp_path: Path, first: tuple[tarfile.TarInfo, bytes], second: tuple[tarfile.TarInfo, bytes]
) -> None:
    if first is second is not LINK or (first is BELOW and second[0].isdir()):
        assert unpacked(tar([first, second]), tmp_path).is_dir()
    else:
        told = refusal(tar([first, second]), tmp_path)
        assert "appears twice" in told or "which is not a folder" in told


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", ["../out", "/kiln-out", "a/../../out", "a/..", "..", "a\nb"])
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, form: str, path: str) -> None:
    assert "is not a path inside a tree" in refusal(pack({"ok": File(), path: File(b"x")}, form), tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["x" * 200] * 40)])
def test_a_name_too_long_for_a_file_system_is_told(tmp_path: Path, name: str) -> None:
    assert "a name in it is too long" in refusal(pack({name: File()}, "tar"), tmp_path)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("target", ["/etc/passwd", "../out", "a/../../../out", ".."])
def test_a_link_out_of_the_tree_is_refused(tmp_path: Path, form: str, target: str) -> None:
    assert "outside the tree" in refusal(pack({"deep": File(), "link": Link(target)}, form), tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_a_way_out_over_several_links_is_refused(tmp_path: Path, form: str) -> None:
    # `far/up` is `.` in the text of all links, but `far` itself is somewhere higher.
    tree = {"a/b/file": File(), "far": Link("a/b"), "x/one": Link("../far/../.."), "two": Link("x/one/../..")}
    assert "outside the tree" in refusal(pack(tree, form), tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_written_through_a_link(tmp_path: Path, form: str) -> None:
    tree = {"link": Link("real"), "real/a": File(b"x"), "link/b": File(b"y")}
    assert "which is not a folder" in refusal(pack(tree, form), tmp_path)


@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"V"], ids=["char", "block", "pipe", "?"]
)
def test_a_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    assert "'null' is a device" in refusal(tar([FILE, special("null", kind)]), tmp_path)


def test_a_device_in_a_zip_is_refused(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as target:
        info = zipfile.ZipInfo("null")
        info.external_attr = (stat.S_IFCHR | 0o666) << 16
        target.writestr(info, b"")
    assert "'null' is a device" in refusal(data.getvalue(), tmp_path)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "b", "nowhere", "link"])
def test_a_hard_link_to_anything_but_an_earlier_file_is_refused(tmp_path: Path, target: str) -> None:
    data = tar([header("link", Link("x")), special("b", tarfile.LNKTYPE, target)])
    told = refusal(data, tmp_path)
    assert "not a file before it" in told or "not a path inside a tree" in told


ZEROS = 100 << 20


def bomb_of_gzip() -> bytes:
    head = header("zeros", File())[0]
    head.size = ZEROS
    return gzip.compress(head.tobuf() + bytes(ZEROS), 1)


def bomb_of_zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        target.writestr("zeros", bytes(ZEROS))
    return data.getvalue()


def bomb_of_a_header() -> bytes:
    """An extended header that says that it is a gigabyte long."""
    head = special("x", tarfile.XHDTYPE)[0]
    head.size = 1 << 30
    return gzip.compress(head.tobuf() + bytes(1 << 20))


def bomb_of_hard_links() -> bytes:
    links = [special(f"b{number}", tarfile.LNKTYPE, "a") for number in range(80)]
    return tar([header("a", File(bytes(1 << 20))), *links])


@pytest.mark.parametrize("bomb", [bomb_of_gzip, bomb_of_zip, bomb_of_a_header])
def test_a_bomb_is_refused(tmp_path: Path, bomb: Callable[[], bytes]) -> None:
    told = refusal(bomb(), tmp_path)
    assert "far too much for its size" in told or "a header of" in told


def test_hard_links_count_as_the_copies_that_they_become(tmp_path: Path) -> None:
    assert "far too much for its size" in refusal(gzip.compress(bomb_of_hard_links(), 1), tmp_path)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("ab./"), min_size=1, max_size=8),
            st.one_of(files, st.text(st.sampled_from("ab./"), max_size=8).map(Link)),
        ),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_no_archive_whatsoever_writes_or_leads_outside(
    entries: list[tuple[str, File | Link]], zip: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outside, inner = Path(folder), Path(folder) / "outer" / "inner"
        inner.mkdir(parents=True)
        data = archives.zipped(dict(entries)) if zip else tar([header(*entry) for entry in entries])
        (outside / "archive").write_bytes(data)
        try:
            unpack(outside / "archive", inner / "tree")
        except SourceError:
            assert not (inner / "tree").exists()
        else:
            for path in (inner / "tree").rglob("*"):
                assert Path(os.path.realpath(path)).is_relative_to(os.path.realpath(inner / "tree"))
        assert {path.name for path in outside.iterdir()} == {"archive", "outer"}
        assert [path.name for path in inner.parent.iterdir()] == ["inner"]
        assert {path.name for path in inner.iterdir()} <= {"tree"}


@settings(max_examples=150)
@given(st.sampled_from(FORMATS), st.data())
def test_a_damaged_archive_is_refused_or_read_and_never_a_surprise(form: str, data: st.DataObject) -> None:
    damaged = bytearray(pack(TREE, form))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "archive").write_bytes(bytes(damaged[: cut or None]))
        try:
            unpack(Path(folder) / "archive", Path(folder) / "tree")
        except SourceError:
            assert not (Path(folder) / "tree").exists()
        else:
            assert len(tree_digest(Path(folder) / "tree")) == 64


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"PK\x03\x04", b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh9", b"<html>", tar([]), bytes(2000)],
    ids=["nothing", "P", "zip", "gzip", "xz", "bzip2", "html", "empty tar", "zeros"],
)
def test_what_is_no_archive_or_an_empty_one_is_told(tmp_path: Path, data: bytes) -> None:
    told = refusal(data, tmp_path)
    # Python 3.9 itself looks for a second entry before the first.
    assert any(reason in told for reason in ("is broken", "has no files", "not in order"))


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    data = bytearray(pack({"a": File(b"x")}, "zip"))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "'a' is encrypted" in refusal(bytes(data), tmp_path)


def test_a_folder_that_is_not_empty_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "mine").write_bytes(b"x")
    with pytest.raises(SourceError, match="not empty: remove that folder"):
        unpacked(pack(TREE, "tar"), tmp_path)
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["mine"]


def test_a_target_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tree").symlink_to("elsewhere")
    with pytest.raises(SourceError):
        unpacked(pack(TREE, "tar"), tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a\nb", "has a line break in its name"), ("pipe", "is neither a file, a folder nor a link")],
)
def test_a_tree_that_holds_what_it_may_not_is_told(tmp_path: Path, name: str, reason: str) -> None:
    if name == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match=reason):
        tree_digest(tmp_path)


def test_a_link_of_half_a_megabyte_is_refused_in_a_sentence(tmp_path: Path) -> None:
    assert len(refusal(pack({"a": File(), "link": Link("\1" * 500_000)}, "tar.gz"), tmp_path)) < 1500


def test_an_entry_of_a_zip_without_a_name_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("a", b"x")
    # The length of the name, and the name, in both headers.
    data = bytearray(buffer.getvalue())
    central = data.rindex(b"PK\1\2")
    data[central + 28 : central + 30] = b"\0\0"
    data[central + 32 : central + 34] = b"\0\0"
    del data[central + 46]
    end = data.rindex(b"PK\5\6")
    data[end + 12 : end + 16] = (end - central).to_bytes(4, "little")
    assert "an entry without a name" in refusal(bytes(data), tmp_path)
