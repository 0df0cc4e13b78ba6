"""What the libraries are made of that a wheel for an older glibc is linked with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.programs import program
from tests.support.repository import ROOT

GLIBC = ROOT / "docker/glibc"
DYNAMIC = """\
Symbol table '.dynsym' contains 7 entries:
   Num:    Value          Size Type    Bind   Vis      Ndx Name
     0: 0000000000000000     0 NOTYPE  LOCAL  DEFAULT  UND
     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND __tls_get_addr@GLIBC_2.3 (2)
     2: 00000000000a2000    21 FUNC    GLOBAL DEFAULT   16 sem_wait@GLIBC_2.2.5
     3: 00000000000a2000    21 FUNC    GLOBAL DEFAULT   16 sem_wait@@GLIBC_2.34
     4: 00000000000a3000    32 FUNC    GLOBAL DEFAULT   16 getrandom@@GLIBC_2.25
     5: 00000000001b2000     8 OBJECT  WEAK   DEFAULT   34 environ@@GLIBC_2.2.5
     6: 00000000001b2000     8 OBJECT  GLOBAL DEFAULT   34 __environ@@GLIBC_2.2.5
     7: 0000000000000000     0 OBJECT  GLOBAL DEFAULT  ABS GLIBC_2.2.5
     8: 00000000001b3000     8 OBJECT  GLOBAL DEFAULT   34 __secret@@GLIBC_PRIVATE
"""


@pytest.fixture(scope="module")
def stubs() -> object:
    return program("docker/glibc/stubs.py")


def test_each_glibc_of_the_recipes_has_its_versions(stubs) -> None:  # type: ignore[no-untyped-def]
    text = (GLIBC / "caps.txt").read_text(encoding="utf-8")
    assert stubs.read_caps(text, "2.17")["GLIBCXX"] == (3, 4, 19)
    for glibc in ("2.28", "2.31"):
        assert stubs.read_caps(text, glibc)["GLIBC"] == tuple(map(int, glibc.split(".")))
    with pytest.raises(KeyError):
        stubs.read_caps(text, "2.99")


def test_versions_are_compared_as_numbers(stubs) -> None:  # type: ignore[no-untyped-def]
    caps = {"GLIBC": (2, 17), "GLIBCXX": (3, 4, 19)}
    names = ("GLIBC_2.4", "GLIBC_2.17", "GLIBC_2.2.5", "GLIBCXX_3.4.9")
    assert all(stubs.older(name, caps) for name in names)
    assert not any(
        stubs.older(name, caps) for name in ("GLIBC_2.18", "GLIBC_PRIVATE", "GLIBCXX_3.4.20", "OTHER_1.0")
    )


def test_a_name_that_moved_is_where_it_was_and_one_that_is_too_new_is_named(stubs) -> None:  # type: ignore[no-untyped-def]
    layout = stubs.read_layout((GLIBC / "layout.txt").read_text(encoding="utf-8"))
    assert layout["dlopen"] == "libdl.so.2"
    libraries = {"libc.so.6": stubs.read_symbols(DYNAMIC), "libpthread.so.0": []}
    made, new = stubs.arrange(libraries, {"GLIBC": (2, 17)}, layout)
    assert [each.name for each in made["libpthread.so.0"]] == ["sem_wait"]
    assert [each.name for each in made["libc.so.6"]] == ["environ", "__environ"]
    assert new == {"getrandom": "GLIBC_2.25"}


def test_names_of_one_place_stay_together_and_the_newest_version_is_the_default(stubs) -> None:  # type: ignore[no-untyped-def]
    known = [each for each in stubs.read_symbols(DYNAMIC) if stubs.older(each.version, {"GLIBC": (2, 34)})]
    source = stubs.assembler(known)
    assert "sem_wait@GLIBC_2.2.5" in source and "sem_wait@@GLIBC_2.34" in source
    block = source[source.index(".bss") :].split(".skip 8")[0]
    assert "environ@@GLIBC_2.2.5" in block and "__environ@@GLIBC_2.2.5" in block and ".weak" in block


def test_a_static_library_uses_a_name_that_it_defined(stubs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source, compiled = tmp_path / "a.c", tmp_path / "a.o"
    source.write_text("int old(void) { return 1; }\nint later(void) { return old(); }\n", encoding="utf-8")
    try:
        subprocess.run(["gcc", "-fPIC", "-c", "-o", compiled, source], check=True)
    except FileNotFoundError:
        pytest.skip("there is no gcc here")
    archive = tmp_path / "a.a"
    subprocess.run(["ar", "rcsD", archive, compiled], check=True)
    archive.write_bytes(stubs.without(archive.read_bytes(), {"old"}))
    said = subprocess.run(["nm", archive], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "U old" in said and "T later" in said
