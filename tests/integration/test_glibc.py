"""Links for an older glibc, with the compilers of the toolchain's image; and what they give, run on an older system."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from kiln.core import give
from kiln.engine import Mount, Run, connect
from kiln.engine.toolchain import tag_of
from kiln.plan import Request, make
from kiln.recipe import Catalogue
from tests.support.repository import ROOT

pytestmark = pytest.mark.usefixtures("finished")

# The tar of a root file system with glibc 2.17 to 2.33, such as `mmdebstrap --variant=minbase bullseye` makes.
OLD_ROOT = os.environ.get("KILN_TEST_OLD_ROOT", "")
OUTPUT = """\
early 1 1 1
environ 1
constructed
exp 4.48169 4.48169 log 0.405465 pow 2.75568 1.83712
threads 34 own 7 once 1
condition 0 1
timed 0
shared 2
stat 0 1 1 -1 No such file or directory 0
random 1
3.25 1 1234567
a-b-c 2.5 42
a out_of_range
file 0
caught over the border
stdout
0 1 0
4.481689 2.755676 1
"""
CAPS = {"2.17": ((2, 17), (3, 4, 19), (1, 3, 7)), "2.28": ((2, 28), (3, 4, 24), (1, 3, 11))}


def link(folder: Path, glibc: str, linker: str) -> list[str]:
    """Link the programs of tests/projects/linked in the toolchain's image; what they say there."""
    made = make(Catalogue(ROOT), Request("opencv", glibc=glibc))
    lines: list[str] = []
    with connect(os.environ) as engine:
        give(folder, engine.owner)
        run = Run(
            image=tag_of(made.toolchain.image),
            command=("bash", "/kiln/linked/link.sh", linker, "/kiln/build/made"),
            label=str(folder),
            environment={"PATH": "/usr/bin:/bin", "TMPDIR": "/kiln/build", "KILN_GLIBC": glibc},
            mounts=(
                Mount(ROOT / "docker/glibc", "/kiln/glibc"),
                Mount(ROOT / "tests/projects/linked", "/kiln/linked"),
                Mount(folder, "/kiln/build", writable=True),
            ),
        )
        status = engine.run(run, lines.append)
    assert status == 0, "\n".join(lines)
    return lines


@pytest.mark.parametrize(("glibc", "linker"), [("2.17", "bfd"), ("2.17", "gold"), ("2.28", "bfd")])
def test_programs_of_an_older_glibc_need_no_newer_symbol_and_run(
    tmp_path: Path, glibc: str, linker: str
) -> None:
    assert link(tmp_path, glibc, linker) == OUTPUT.splitlines()
    made = tmp_path / "made"
    for name in ("libreport.so", "program", "plain"):
        text = (made / f"{name}.txt").read_text(encoding="utf-8")
        assert "Shared library: [libpthread.so.0]" in text or (glibc, name) == ("2.28", "program")
        for family, cap in zip(("GLIBC", "GLIBCXX", "CXXABI"), CAPS[glibc]):
            for number in re.findall(rf"\b{family}_([0-9.]+)", text):
                assert tuple(map(int, number.split("."))) <= cap, f"{name} needs {family}_{number}"
    assert "Shared library: [libdl.so.2]" in (made / "plain.txt").read_text(encoding="utf-8")
    said = (made / "new.txt").read_text(encoding="utf-8")
    assert ("getrandom is new in GLIBC_2.25 and is not in glibc 2.17" in said) == (glibc == "2.17")
    assert (made / "new.so").exists() == (glibc != "2.17")


@pytest.mark.skipif(not OLD_ROOT, reason="KILN_TEST_OLD_ROOT names no root file system")
def test_programs_of_an_older_glibc_run_on_an_older_system(tmp_path: Path) -> None:
    folder, root = tmp_path / "build", tmp_path / "root"
    folder.mkdir()
    root.mkdir()
    link(folder, "2.17", "bfd")
    subprocess.run(
        ["tar", "--extract", "--exclude=./dev/*", "--file", OLD_ROOT, "--directory", root], check=True
    )
    (folder / "made").rename(root / "made")
    said = ""
    for name in ("program", "plain"):
        command = ["chroot", str(root), "env", "LD_LIBRARY_PATH=/made", "LD_BIND_NOW=1", f"/made/{name}"]
        said += subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert said == OUTPUT
