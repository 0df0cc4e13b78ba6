from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from kiln.attest import Difference, differences, diffoscope, listing

NAME = "toy-1.0-py3-none-any.whl"
RECORD = "toy-1.0.dist-info/RECORD"
FILES = {"toy.py": b"x = 1\n", "toy.so": bytes(3_000_000), RECORD: b"toy.py,sha256=a,6\n"}


def wheel(
    folder: Path,
    files: Mapping[str, bytes] = FILES,
    name: str = NAME,
    time: tuple[int, int, int, int, int, int] = (2020, 4, 3, 0, 0, 0),
    mode: int = 0o644,
    comment: bytes = b"",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path, time)
            info.external_attr = mode << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
        archive.comment = comment
    return folder / name


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return wheel(tmp_path / "recorded")


def test_equal_wheels_do_not_differ(tmp_path: Path, recorded: Path) -> None:
    assert differences(recorded, wheel(tmp_path / "rebuilt")) == []


def test_the_smallest_difference_is_first_and_what_only_follows_is_last(
    tmp_path: Path, recorded: Path
) -> None:
    library = bytearray(FILES["toy.so"])
    library[0x1_FFFFF] = library[0x2_00000] = library[0x2_50000] = 1
    changed = {**FILES, "toy.so": bytes(library), "toy.py": b"x = 2\n", RECORD: b"toy.py,sha256=b,6\n"}
    found = differences(recorded, wheel(tmp_path / "rebuilt", changed))
    assert [(each.name, each.size) for each in found] == [("toy.py", 1), ("toy.so", 3), (RECORD, 1)]
    assert found[1].how == "3000000 bytes: 3 differ, the first at 0x1fffff"


def test_a_member_of_another_length_differs_by_what_is_left_over_too(tmp_path: Path, recorded: Path) -> None:
    (found,) = differences(recorded, wheel(tmp_path / "rebuilt", {**FILES, "toy.py": b"x = 1\n\n\n"}))
    assert found == Difference("toy.py", "6 bytes, now 8: 2 differ, the first at 0x6", 2)


def test_a_member_of_one_wheel_alone_is_named_with_its_side(tmp_path: Path, recorded: Path) -> None:
    fewer = {name: content for name, content in FILES.items() if name != "toy.so"}
    more = {**fewer, "new.py": b"1"}
    assert [(each.name, each.how) for each in differences(recorded, wheel(tmp_path / "rebuilt", more))] == [
        ("new.py", "only in the rebuilt wheel (1 bytes)"),
        ("toy.so", "only in the recorded wheel (3000000 bytes)"),
    ]


def test_times_and_modes_of_members_are_told_apart_from_content(tmp_path: Path, recorded: Path) -> None:
    found = differences(recorded, wheel(tmp_path / "rebuilt", time=(2021, 4, 3, 0, 0, 0), mode=0o664))
    assert {each.name for each in found} == set(FILES)
    assert found[0].how == "time (2020, 4, 3, 0, 0, 0), now (2021, 4, 3, 0, 0, 0); mode 0o644, now 0o664"


def test_order_name_and_the_archives_own_bytes_are_differences(tmp_path: Path, recorded: Path) -> None:
    backwards = dict(reversed(FILES.items()))
    (order,) = differences(recorded, wheel(tmp_path / "order", backwards))
    assert order.how == "the members are in another order"
    (name,) = differences(recorded, wheel(tmp_path / "name", name="toy-1.0-py2-none-any.whl"))
    assert name.how == f"{NAME} is now toy-1.0-py2-none-any.whl"
    (own,) = differences(recorded, wheel(tmp_path / "own", comment=b"made here"))
    assert own.how == "the archive's own data differ, the members do not"


def test_a_listing_has_a_line_for_each() -> None:
    found = [Difference("a", "1 bytes: 1 differ", 1), Difference("long/name", "only in one", 2)]
    assert listing(found) == "a          1 bytes: 1 differ\nlong/name  only in one\n"
    assert listing([]) == ""


def test_without_diffoscope_there_is_no_report(
    tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    again = wheel(tmp_path / "rebuilt", {**FILES, "toy.py": b"x = 2\n"})
    html, text = tmp_path / "difference.html", tmp_path / "difference.txt"
    assert not diffoscope(recorded, again, differences(recorded, again), html, text)
    assert not html.exists() and not text.exists()


@pytest.mark.skipif(not shutil.which("diffoscope"), reason="diffoscope is not installed")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"files": {**FILES, "toy.py": b"x = 2\n", RECORD: b"toy.py,sha256=b,6\n"}}, "-x = 1"),
        ({"time": (2021, 4, 3, 0, 0, 0)}, "21-Apr-03"),
        ({"comment": b"made here"}, "made here"),
    ],
)
def test_diffoscope_shows_what_differs_the_smallest_first(
    tmp_path: Path, recorded: Path, changed: dict[str, object], said: str
) -> None:
    again = wheel(tmp_path / "rebuilt", **changed)  # type: ignore[arg-type]
    html, text = tmp_path / "difference.html", tmp_path / "difference.txt"
    assert diffoscope(recorded, again, differences(recorded, again), html, text)
    report = text.read_text()
    assert said in report and "<html" in html.read_text()
    if "files" in changed:
        assert report.index("toy.py") < report.index("RECORD")
