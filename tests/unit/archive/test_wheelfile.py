from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from kiln.archive import inspect_wheel
from kiln.core.errors import CompileError

WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"


def make(
    folder: Path,
    name: str = "toy-1.0-cp311-cp311-manylinux_2_31_x86_64.whl",
    *,
    distribution: str = "toy",
    version: str = "1.0",
    stamp: str = "",
    code: str = "x = 1\n",
    requires: str = "Requires-Dist: numpy>=1.23.2,<2\n",
    recorded: str = "",
    **changed: str,
) -> Path:
    """A sound wheel, but for `recorded`, further lines of RECORD, and `changed`, entries that RECORD does not know."""
    info = f"{'-'.join(name.split('-')[:2])}.dist-info"
    metadata = METADATA.replace("toy", distribution).replace("1.0", version) + requires + "\n"
    entries = {"toy.py": code, f"{info}/METADATA": metadata, f"{info}/WHEEL": WHEEL}
    entries |= {f"{info}/kiln.json": stamp} if stamp else {}
    rows = [f"{entry},sha256={_digest(text)},{len(text)}\n" for entry, text in entries.items()]
    entries[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n" + recorded
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in {**entries, **changed}.items():
            archive.writestr(entry, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_a_sound_wheel_tells_its_name_version_tags_and_requirements(tmp_path: Path) -> None:
    found = inspect_wheel(make(tmp_path))
    assert (found.name, found.version, found.tags, found.requires) == (
        "toy", "1.0", ("cp311-cp311-manylinux_2_31_x86_64",), ("numpy>=1.23.2,<2",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"toy.py": "x = 2\n"}, "hash / size of toy.py didn't match RECORD"),
        ({"evil.py": "x = 2\n"}, "evil.py is not mentioned in RECORD"),
        (
            {"recorded": "gone.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"},
            "gone.py is 1 times in RECORD",
        ),
        (
            {"recorded": "toy-1.0.dist-info/RECORD,,\n"},
            "RECORD is 2 times in RECORD and 1 times in the archive",
        ),
    ],
)
def test_a_wheel_that_disagrees_with_its_record_is_refused(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        inspect_wheel(make(tmp_path, **changed))
    assert message in str(caught.value)


def test_a_wheel_with_a_file_twice_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("toy.py", "x = 1\n")
    with pytest.raises(CompileError, match=r"toy\.py"):
        inspect_wheel(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with pytest.raises(CompileError, match="not a sound wheel"):
        inspect_wheel(path)


def test_a_file_whose_name_is_no_wheels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="not a sound wheel"):
        inspect_wheel(make(tmp_path, "toy.whl"))
