from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.archive import kind_of, packer, tree_digest, unpacker
from kiln.archive.kind import Kind
from kiln.core import SourceError

KINDS: tuple[Kind, ...] = ("tar", "tar.gz", "zip")


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_packed_unpacks_to_the_same_tree(tmp_path: Path, kind: Kind) -> None:
    made = tree(
        tmp_path / "tree", {"a/program": b"x" * 200_000, "a/ä": b"", "z": b"\0", ".git/config": b"not it"}
    )
    (made / "a" / "program").chmod(0o700)
    (made / "link").symlink_to("a/program")
    (made / "folder").symlink_to("a")
    (made / "empty").mkdir()
    packer.pack(made, tmp_path / "packed", kind)
    unpacker.unpack(tmp_path / "packed", tmp_path / "again")
    assert tree_digest(tmp_path / "again") == tree_digest(made)
    assert (tmp_path / "again" / "folder").is_symlink() and not (tmp_path / "again" / ".git").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_when_and_by_whom_a_tree_was_made_does_not_matter(tmp_path: Path, kind: Kind) -> None:
    files = {"b": b"2", "a/c": b"1"}
    one, two = tree(tmp_path / "one", files), tree(tmp_path / "two", dict(reversed(files.items())))
    os.utime(two / "b", (1, 1))
    (two / "b").chmod(0o600)
    for made in (one, two):
        packer.pack(made, made.with_suffix(".packed"), kind)
    assert one.with_suffix(".packed").read_bytes() == two.with_suffix(".packed").read_bytes()


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("tar", "fb6eb1457daad4f971fec2e495d927fffaa88cf89b53cd0c3dedbbc935829a02"),
        ("tar.gz", "632e654b5dbcbb0f2023413fe1442b864b92751bcc759d5f5b6433914f7b7aaf"),
        ("zip", "0acdcf1675d819531d9541be3760423e33aef3391c1df3450e6e88f0af00b220"),
    ],
)
def test_the_bytes_are_the_same_on_every_machine_and_with_every_version(
    tmp_path: Path, kind: Kind, digest: str
) -> None:
    made = tree(tmp_path / "tree", {"top/file": b"content\n" * 20_000, "top/other": b""})
    packer.pack(made, tmp_path / "packed", kind)
    assert hashlib.sha256((tmp_path / "packed").read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("kind", "command"), [("tar.gz", ["tar", "-xzf"]), ("zip", [sys.executable, "-m", "zipfile", "-e"])]
)
def test_other_programs_read_it(tmp_path: Path, kind: Kind, command: list[str]) -> None:
    made = tree(tmp_path / "tree", {"top/file": b"content\n" * 20_000})
    packer.pack(made, tmp_path / "packed", kind)
    (tmp_path / "out").mkdir()
    more = [str(tmp_path / "out")] if kind == "zip" else ["-C", str(tmp_path / "out")]
    subprocess.run([*command, str(tmp_path / "packed"), *more], check=True)
    assert (tmp_path / "out" / "top" / "file").read_bytes() == b"content\n" * 20_000


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.binary(max_size=70_000), max_size=4))
def test_any_content_comes_back_out_of_blocks_that_are_not_compressed(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    made = tree(folder / "tree", {"always": b"", **files})
    packer.pack(made, folder / "packed", "tar.gz")
    unpacker.unpack(folder / "packed", folder / "again")
    assert tree_digest(folder / "again") == tree_digest(made)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.tar.gz", "tar.gz"), ("x-1.0.tgz", "tar.gz"), ("x.zip", "zip"), ("x.tar", "tar"), ("x.tar.xz", None)],
)
def test_the_form_is_the_one_that_the_name_promises(name: str, kind: Kind | None) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["./f", "d/../f", "d//f", "d/", "."])
def test_the_target_of_a_link_is_packed_as_it_is(tmp_path: Path, kind: Kind, target: str) -> None:
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    for name in ("f", "d/f"):
        (tree / name).write_text("x")
    os.symlink(target, tree / "link")  # noqa: PTH211  (Path would change the text)
    packer.pack(tree, tmp_path / f"x.{kind}", kind)
    unpacker.unpack(tmp_path / f"x.{kind}", tmp_path / "again")
    assert os.readlink(tmp_path / "again" / "link") == target  # noqa: PTH115
    assert tree_digest(tmp_path / "again") == tree_digest(tree)


def test_a_name_that_is_not_utf_8_cannot_be_in_a_zip(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(SourceError, match="is not UTF-8"):
        packer.pack(tmp_path / "tree", tmp_path / "x.zip", "zip")
