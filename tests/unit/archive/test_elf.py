from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiln.archive import elf

SOURCE = """\
int public_function(void) { return 1; }
static int own(void) { return 2; }
__attribute__((visibility("hidden"))) int hidden(void) { return own(); }
__attribute__((weak)) int weak_function(void) { return 3; }
const char table[5000] = {1};
char zeros[100000];
extern int elsewhere(void);
int caller(void) { return elsewhere(); }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("this machine has no gcc")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.c").write_text(SOURCE)
    subprocess.run([gcc, "-shared", "-fPIC", "-o", folder / "a.so", folder / "a.c"], check=True)
    return (folder / "a.so").read_bytes()


def test_sections_have_the_sizes_that_they_take_in_the_file(library: bytes) -> None:
    found = {each.name: each.size for each in elf.sections(library)}
    assert found[".rodata"] >= 5000 and found[".text"] > 0
    assert ".bss" not in found and sum(found.values()) < len(library)


def test_exports_are_what_others_can_link_to(library: bytes) -> None:
    assert elf.exports(library) >= {"public_function", "weak_function", "caller", "table", "zeros"}
    assert not elf.exports(library) & {"own", "hidden", "elsewhere"}


def test_a_program_of_this_machine_and_readelf_agree(library: bytes, tmp_path: Path) -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("this machine has no readelf")
    (tmp_path / "a.so").write_bytes(library)
    done = subprocess.run([readelf, "-SW", tmp_path / "a.so"], capture_output=True, text=True, check=True)
    rows = [line.split("]", 1)[1].split() for line in done.stdout.splitlines() if "] ." in line]
    sizes = {row[0]: int(row[4], 16) for row in rows if row[1] != "NOBITS" and int(row[4], 16)}
    assert {each.name: each.size for each in elf.sections(library)} == sizes


def test_what_is_no_such_file_has_none() -> None:
    for content in (b"", b"\x7fELF", b"MZ" * 100, b"\x7fELF\x01\x01" + bytes(200)):
        assert elf.sections(content) == () and elf.exports(content) == frozenset()


@settings(max_examples=60)
@given(data=st.data())
def test_no_damage_is_an_error_or_reads_outside(library: bytes, data: st.DataObject) -> None:
    content = bytearray(library)
    for _ in range(data.draw(st.integers(1, 8))):
        # In the header, or in the headers of sections at the end.
        place = data.draw(st.integers(0, 63) | st.integers(len(content) - 2000, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    for each in (bytes(content), cut):
        assert all(section.size <= len(each) for section in elf.sections(each))
        elf.exports(each)
