from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from kiln.report.contents import FILES, OTHER, Part, contents, kind_of, kinds, number_of, tiles
from kiln.report.treemap import Box

BOX = Box(0, 0, 1000, 400)


def test_files_and_the_sections_of_libraries_are_listed_by_size(tmp_path: Path) -> None:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("this machine has no gcc")
    (tmp_path / "a.c").write_text("const char table[200000] = {1};\n")
    subprocess.run([gcc, "-shared", "-o", tmp_path / "a.so", tmp_path / "a.c"], check=True)
    wheel = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a.so", "toy/a.so")
        archive.writestr("toy/empty.py", "")
        archive.writestr("toy/data.txt", "x" * 1000)
        archive.mkdir("toy/folder") if hasattr(archive, "mkdir") else None
    library, data, empty = contents(wheel)
    assert (library.name, data.name, empty.name) == ("toy/a.so", "toy/data.txt", "toy/empty.py")
    assert data.size == 1000 and data.packed < 100 and not data.sections
    sizes = kinds((library, data, empty))
    assert sizes["constants"] >= 200000 and sizes[FILES] == 1000
    assert sum(sizes.values()) == library.size + 1000
    first, rest = tiles((library, data, empty), BOX)
    assert (first.title, rest.title) == ("toy/a.so", "toy/data.txt") or rest.title == "1 smaller files"
    assert first.label == "a.so" and {each.title for each in first.inside} <= {*sizes}


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        (".text.unlikely", "machine code"), (".rodata.str1.8", "constants"), (".eh_frame_hdr", "exception tables"),
        (".gnu.version_r", "symbols and relocations"), (".nv_fatbin", "code for GPUs"), (".data.rel.ro", "data"),
        (".comment", OTHER), ("", OTHER), (".debug_info", "debugging"),
    ],
)  # fmt: skip
def test_a_section_has_its_kind_by_its_name(section: str, kind: str) -> None:
    assert kind_of(section) == kind and number_of(kind) < number_of(FILES)


def test_many_small_files_are_one_tile_and_a_wheel_of_nothing_has_none() -> None:
    parts = [Part("big", 10**6, 1), *(Part(f"small{number}", 10, 1) for number in range(50))]
    assert [each.title for each in tiles(parts, BOX)] == ["big", "50 smaller files"]
    assert tiles([Part("empty", 0, 0)], BOX) == () == tiles([], BOX)
