from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from kiln.archive import inspect_wheel
from kiln.core.errors import CompileError
from tests.support.sound_wheel import make


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
