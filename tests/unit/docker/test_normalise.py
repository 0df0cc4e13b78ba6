from __future__ import annotations

import base64
import csv
import hashlib
import io
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.archive import inspect_wheel
from tests.support.repository import ROOT

SCRIPT = ROOT / "docker" / "common" / "normalise.py"
EPOCH = 1585958400

sys.path.insert(0, str(SCRIPT.parent))
from normalise import normalise  # noqa: E402  (it is no module of Kiln's: containers run it as a script)

RECORD = "toy-1.0.dist-info/RECORD"
METADATA = b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n\n"
Files = dict[str, tuple[bytes, bool]]

names = st.lists(st.text('ab,"é -', min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)
contents = st.dictionaries(names, st.tuples(st.binary(max_size=50), st.booleans()), max_size=6).map(
    lambda files: {**files, RECORD: (b"anything", True), "toy-1.0.dist-info/METADATA": (METADATA, False)}
)


def test_a_stamp_is_a_file_beside_the_metadata_that_record_knows() -> None:
    files: Files = {
        RECORD: (b"", False),
        "toy-1.0.dist-info/METADATA": (METADATA, False),
        "toy.py": (b"", False),
    }
    content = packed(files, random.Random(1))
    made = normalise(content, EPOCH, '{"build_key": "k"}\n')
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.read("toy-1.0.dist-info/kiln.json") == b'{"build_key": "k"}\n'
        assert "toy-1.0.dist-info/kiln.json,sha256=" in archive.read(RECORD).decode()
        assert archive.read("toy-1.0.dist-info/METADATA") == METADATA
    assert normalise(content, EPOCH, '{"build_key": "k"}\n') == made
    assert normalise(made, EPOCH, '{"build_key": "k"}\n') == made


def packed(files: Files, chance: random.Random) -> bytes:
    """A wheel in any order, at any times, with any way of compressing, with folders or without."""
    buffer = io.BytesIO()
    order = list(files)
    chance.shuffle(order)
    with zipfile.ZipFile(buffer, "w") as target:
        for name in order:
            content, executable = files[name]
            if (
                "/" in name
                and chance.random() < 0.3
                and f"{name.rsplit('/', 1)[0]}/" not in target.namelist()
            ):
                target.writestr(f"{name.rsplit('/', 1)[0]}/", b"")
            info = zipfile.ZipInfo(name, (chance.randint(1980, 2100), 1, 1, 0, 0, 0))
            info.create_system = chance.choice([0, 3])
            info.external_attr = (
                chance.choice([0o100711, 0o100755] if executable else [0o100600, 0o100666]) << 16
            )
            info.compress_type = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
            target.writestr(info, content)
    return buffer.getvalue()


def rows(data: bytes) -> dict[str, tuple[str, str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(RECORD).decode()
    return {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(text))}


@given(contents, st.randoms(use_true_random=False))
def test_the_bytes_depend_on_names_contents_and_executable_bits_alone(
    files: Files, chance: random.Random
) -> None:
    one, other = (normalise(packed(files, chance), EPOCH) for _ in range(2))
    assert one == other == normalise(one, EPOCH)


@given(contents, st.randoms(use_true_random=False))
def test_every_file_is_kept_and_recorded(files: Files, chance: random.Random) -> None:
    data = normalise(packed(files, chance), EPOCH)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        assert {info.filename for info in infos} == set(files)
        for info in infos:
            executable = files[info.filename][1] and info.filename != RECORD
            assert info.external_attr >> 16 == (0o100755 if executable else 0o100644)
            assert info.date_time == (2020, 4, 4, 0, 0, 0)
            assert info.filename == RECORD or archive.read(info) == files[info.filename][0]
    recorded = rows(data)
    assert recorded.pop(RECORD) == ("", "")
    assert recorded == {
        name: (f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}",
               str(len(content)))
        for name, (content, _) in files.items() if name != RECORD
    }  # fmt: skip


def test_the_metadata_is_at_the_end_and_its_record_last() -> None:
    files: Files = dict.fromkeys([RECORD, "zzz", "a/b", "toy-1.0.dist-info/A"], (b"", False))
    with zipfile.ZipFile(io.BytesIO(normalise(packed(files, random.Random(1)), EPOCH))) as archive:
        assert archive.namelist() == ["a/b", "zzz", "toy-1.0.dist-info/A", RECORD]


def test_a_time_before_zips_begin_becomes_their_first() -> None:
    data = normalise(packed({RECORD: (b"", False)}, random.Random(1)), 0)
    assert zipfile.ZipFile(io.BytesIO(data)).infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_as_a_script_it_writes_a_wheel_that_agrees_with_its_record(tmp_path: Path) -> None:
    files: Files = {
        "toy.py": (b"x = 1\n", False), "toy-1.0.dist-info/METADATA": (METADATA, False), RECORD: (b"", False),
    }  # fmt: skip
    source, target = tmp_path / "in.whl", tmp_path / "toy-1.0-py3-none-any.whl"
    source.write_bytes(packed(files, random.Random(1)))
    done = subprocess.run(
        [sys.executable, SCRIPT, source, target],
        env={"SOURCE_DATE_EPOCH": str(EPOCH)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == f"{hashlib.sha256(target.read_bytes()).hexdigest()} {target.name}\n"
    assert inspect_wheel(target).version == "1.0"


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target, pytest.warns(UserWarning, match="Duplicate name"):
        target.writestr("a", b"")
        target.writestr("a", b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no archive", "not a zip archive"),
        (packed({"a": (b"", False)}, random.Random(1)), "one .dist-info/RECORD, this archive has 0"),
        (
            packed({RECORD: (b"", False), "b.dist-info/RECORD": (b"", False)}, random.Random(1)),
            "this archive has 2",
        ),
        (None, "contains a twice"),
    ],
)
def test_what_is_no_wheel_is_refused(data: bytes | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalise(twice() if data is None else data, EPOCH)
