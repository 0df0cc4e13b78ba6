from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rich.console
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiln.build import bundle
from kiln.build.bundle import MANIFEST
from kiln.core.console import Console
from kiln.core.errors import SourceError, UsageError
from kiln.core.home import Home
from kiln.plan import planner
from kiln.plan.planner import Plan, Request
from kiln.recipe import Catalogue
from kiln.sources import fetch
from kiln.sources.obtained import Obtained
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault
from tests.support import repository
from tests.support.loopback import Notes

CONTENT = b"the toy's source"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    recipe = repository.RECIPE.replace("a" * 64, SHA256).replace("size: 3", f"size: {len(CONTENT)}")
    return planner.make(Catalogue(repository.make(tmp_path / "root", recipe)), Request("toy"))


def obtained(planned: Plan, file: Path) -> Obtained:
    return Obtained(planned.sources[0], file, "somewhere", planned.sources[0].origins[0])


@pytest.fixture
def packed(planned: Plan, tmp_path: Path) -> Path:
    """A bundle of the plan's one source."""
    vault = Vault(tmp_path / "first")
    (tmp_path / "file").write_bytes(CONTENT)
    file = vault.add(tmp_path / "file", SHA256)
    bundle.write(planned, [obtained(planned, file)], [], tmp_path / "toy.tar")
    return tmp_path / "toy.tar"


def take(file: Path, planned: Plan, tmp_path: Path) -> tuple[Vault, str]:
    """The vault after a bundle was taken, and what was printed."""
    home = Home.of({"KILN_HOME": str(tmp_path / "home")})
    vault, output = Vault(home.sources), io.StringIO()
    console = Console(rich.console.Console(file=output, width=300))
    bundle.take(file, planned, vault, None, home, console)
    return vault, output.getvalue()


def wrong(vault: Vault) -> list[Path]:
    """The files of a vault that are not what their names say."""
    files = [path for path in vault.root.rglob("*") if path.is_file() and path.parent.parent.name == "sha256"]
    return [path for path in files if path.name != hashlib.sha256(path.read_bytes()).hexdigest()]


def rebuilt(packed: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(packed, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            tar.addfile(info, io.BytesIO(content))
    return packed


def manifest(packed: Path) -> dict[str, Any]:
    with tarfile.open(packed) as tar:
        content = tar.extractfile(MANIFEST)
        assert content
        value: dict[str, Any] = json.load(content)
        return value


def test_what_is_in_a_bundle_is_taken_into_an_empty_vault(
    planned: Plan, packed: Path, tmp_path: Path
) -> None:
    vault, _ = take(packed, planned, tmp_path)
    (found,) = fetch.obtain(planned.sources, vault, FetchSettings(offline=True), Notes())
    assert found.path.read_bytes() == CONTENT
    assert vault.origin_of(SHA256) == "the bundle toy.tar"


def test_the_same_plan_and_files_give_the_same_bytes(planned: Plan, packed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / SHA256
    copy.parent.mkdir()
    copy.write_bytes(CONTENT)
    os.utime(copy, (1, 1))
    twice = [obtained(planned, copy)] * 2
    bundle.write(planned, twice, [], tmp_path / "elsewhere" / "again.tar")
    assert (tmp_path / "elsewhere" / "again.tar").read_bytes() == packed.read_bytes()


def test_the_manifest_lists_every_input_with_its_digest(planned: Plan, packed: Path) -> None:
    value = manifest(packed)
    assert value["key"] == planned.key and value["inputs"] == json.loads(planned.to_json())["inputs"]
    (file,) = value["files"]
    assert file == {"sha256": SHA256, "size": len(CONTENT), "tree": "", "tag": "", "environment": []}


def test_a_bundle_of_another_plan_gives_what_fits_and_says_so(
    planned: Plan, packed: Path, tmp_path: Path
) -> None:
    other = planner.make(Catalogue(tmp_path / "root"), Request("toy", cpu_features="avx2"))
    vault, printed = take(packed, other, tmp_path)
    assert "is for another plan (toy/1.0/cp311-cpu-bookworm-sse4.2)" in printed
    assert vault.get(SHA256)


def test_what_no_recipe_wants_does_not_enter_the_vault(planned: Plan, packed: Path, tmp_path: Path) -> None:
    other = planner.make(Catalogue(repository.make(tmp_path / "other")), Request("toy"))
    vault, _ = take(packed, other, tmp_path)
    assert not vault.path(SHA256).exists()


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A bundle with a changed manifest."""

    def edit(packed: Path) -> None:
        value = manifest(packed)
        change(value)
        rebuilt(packed, (MANIFEST, json.dumps(value).encode()), (f"files/{SHA256}", CONTENT))

    return edit


def changed(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Callable[[Path], None]:
    """A bundle with other members after its manifest."""

    def edit(packed: Path) -> None:
        rebuilt(packed, (MANIFEST, json.dumps(manifest(packed)).encode()), *members, kind=kind)

    return edit


def shorter(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:700])


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (changed((f"files/{SHA256}", b"the toy's s0urce")), "has the sha256"),
        (changed((f"files/{SHA256}", b"another length")), "is missing: in its place is"),
        (changed(("../../etc/passwd", CONTENT)), "is missing: in its place is"),
        (changed(("/etc/passwd", CONTENT)), "is missing: in its place is"),
        (changed((f"files/{SHA256}", CONTENT), ("files/more", b"")), "contains more than its manifest lists"),
        (changed(), "is missing: in its place is"),
        (changed((f"files/{SHA256}", b""), kind=tarfile.SYMTYPE), "not a plain file"),
        (changed((f"files/{SHA256}", b""), kind=tarfile.CHRTYPE), "not a plain file"),
        (edited(lambda value: value.update(format=2)), "this version of Kiln cannot read its"),
        (edited(lambda value: value.update(more=1)), "this version of Kiln cannot read its"),
        (
            edited(lambda value: value["files"][0].update(sha256="../x")),
            "this version of Kiln cannot read its",
        ),
        (edited(lambda value: value["files"][0].update(size=-1)), "this version of Kiln cannot read its"),
        (
            edited(lambda value: value["files"][0].update(environment=["A=b\nRUN evil"])),
            "this version of Kiln cannot read its",
        ),
        (
            edited(lambda value: value["files"][0].update(environment=['A="b"'])),
            "this version of Kiln cannot read its",
        ),
        (lambda packed: rebuilt(packed, ("x", b"y")), "its first member is not"),
        (lambda packed: rebuilt(packed, (MANIFEST, b"[" * 100_000)), "this version of Kiln cannot read its"),
        (lambda packed: packed.write_bytes(b"PK\3\4" + b"\0" * 1000), "not a tar file"),
        (lambda packed: packed.write_bytes(b""), "not a tar file"),
        (shorter, "incomplete"),
    ],
)
def test_a_bundle_that_was_tampered_with_is_refused(
    planned: Plan, packed: Path, tmp_path: Path, edit: Callable[[Path], None], reason: str
) -> None:
    edit(packed)
    with pytest.raises(SourceError, match=reason):
        take(packed, planned, tmp_path)
    assert wrong(Vault(tmp_path / "home" / "sources")) == []


def test_a_member_that_says_it_is_endless_is_refused_at_once(
    planned: Plan, packed: Path, tmp_path: Path
) -> None:
    head = tarfile.TarInfo(MANIFEST)
    head.size = 1 << 60
    packed.write_bytes(head.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)
    with pytest.raises(SourceError, match="incomplete"):
        take(packed, planned, tmp_path)


def test_a_file_that_is_not_there_is_a_wrong_command_line(planned: Plan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        take(tmp_path / "none.tar", planned, tmp_path)


@given(position=st.integers(0, 6000), value=st.binary(min_size=1, max_size=600))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_is_overwritten_in_a_bundle_only_right_bytes_reach_the_vault(
    planned: Plan, packed: Path, tmp_path: Path, position: int, value: bytes
) -> None:
    good = packed.read_bytes()
    bad = tmp_path / "bad.tar"
    bad.write_bytes(good[:position] + value + good[position + len(value) :])
    vault = Vault(tmp_path / "home" / "sources")
    vault.path(SHA256).unlink(missing_ok=True)
    with contextlib.suppress(SourceError):
        take(bad, planned, tmp_path)
    assert wrong(vault) == []
