from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.core import sha256_of
from kiln.core.errors import SourceError
from kiln.sources.vault import Vault
from tests.support.repository import ROOT


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def added(vault: Vault, folder: Path, data: bytes) -> Path:
    file = folder / "file"
    file.write_bytes(data)
    return vault.add(file, sha256(data))


@given(st.lists(st.binary(max_size=100), max_size=5))
@settings(max_examples=30)
def test_what_is_put_in_comes_out_under_its_hash(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    vault = Vault(folder / "vault")
    for data in contents:
        added(vault, folder, data)
    for data in contents:
        path = vault.get(sha256(data))
        assert path is not None
        assert path.read_bytes() == data
        assert sha256_of(path) == path.name
    assert len([path for path in (folder / "vault").rglob("*") if path.is_file()]) == len(set(contents))


def test_what_is_not_there_is_none(vault: Vault) -> None:
    assert vault.get("0" * 64) is None


def test_a_file_is_read_only_for_all_and_readable_for_all(vault: Vault, tmp_path: Path) -> None:
    path = added(vault, tmp_path, b"x")
    vault.record_tree(sha256(b"x"), None, "0" * 64)
    files = [path, *(vault.root / "trees").iterdir()]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o444, 0o444]


@pytest.mark.parametrize("harm", [b"y", b"", b"xx"], ids=["other", "empty", "longer"])
def test_a_damaged_file_is_told_and_never_given(vault: Vault, tmp_path: Path, harm: bytes) -> None:
    path = added(vault, tmp_path, b"x")
    path.chmod(0o644)
    path.write_bytes(harm)
    notes: list[str] = []
    assert vault.get(sha256(b"x"), notes.append) is None
    assert notes == [f"{path} is damaged and is not used"]
    assert added(vault, tmp_path, b"x").read_bytes() == b"x"


def test_a_wrong_file_is_not_taken_and_leaves_nothing(vault: Vault, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(SourceError, match=f"has the sha256 {sha256(b'x')}, not {'0' * 64}"):
        vault.add(file, "0" * 64)
    assert [path for path in vault.root.rglob("*") if path.is_file()] == []
    assert file.read_bytes() == b"x"


def test_a_partial_file_is_given_its_name_when_it_is_whole(vault: Vault) -> None:
    partial = vault.partial(sha256(b"whole"))
    partial.write_bytes(b"whole")
    assert vault.finish(sha256(b"whole")) == vault.get(sha256(b"whole"))
    assert not partial.exists()


def test_a_workspace_is_empty_whatever_a_killed_process_left(vault: Vault) -> None:
    with vault.workspace("0" * 64) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_bytes(b"x")
        with vault.workspace("0" * 64) as again:
            assert list(again.iterdir()) == []
    assert not folder.exists()


def test_the_tree_of_an_archive_is_remembered_by_its_member(vault: Vault) -> None:
    vault.record_tree("0" * 64, "a", "1" * 64)
    vault.record_tree("0" * 64, None, "2" * 64)
    assert vault.tree_of("0" * 64, "a") == "1" * 64
    assert vault.tree_of("0" * 64, None) == "2" * 64
    assert vault.tree_of("0" * 64, "b") is None
    assert vault.tree_of("1" * 64, "a") is None


def test_a_lock_is_waited_for_and_free_when_its_holder_was_killed(vault: Vault) -> None:
    code = (
        "import sys, pathlib; from kiln.sources import Vault\n"
        "with Vault(pathlib.Path(sys.argv[1])).lock('0' * 64):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(vault.root)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        holder.kill()

    with vault.lock("0" * 64, note):
        assert notes == ["another process fetches it already: waiting for that"]
    assert holder.wait() < 0
    with vault.lock("0" * 64, notes.append):
        assert len(notes) == 1


def test_a_lock_file_of_another_user_can_be_locked(vault: Vault) -> None:
    with vault.lock("0" * 64):
        pass
    (vault.root / "locks" / ("0" * 64)).chmod(0o444)
    # A root that may not overrule the modes of files is as an ordinary user.
    command = [sys.executable, "-c",
        "import sys, pathlib; from kiln.sources import Vault\n"
        "with Vault(pathlib.Path(sys.argv[1])).lock('0' * 64): print('held')", str(vault.root),
    ]  # fmt: skip
    if os.getuid() == 0:
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout == b"held\n"
