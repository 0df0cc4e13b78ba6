"""The layer library's wheel by its own recipe, with a short suite in place of the one that takes half an hour."""

from __future__ import annotations

import email
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support import house as houses
from tests.support.house import House
from tests.support.repository import ROOT

URL = "https://git.example/kiln/raw/main/layers"
RUN = "recipes/shared/tensorflow-2-run.yaml"
SUITE = """\
import sys

def test_library_is_installed():
    import fireclay
    assert fireclay.__version__ == "0.2.0" and fireclay.__file__.startswith(sys.prefix)
"""


@pytest.fixture
def house(tmp_path: Path, vault: Path, served: tuple[str, Path]) -> House:
    """A checkout with the layer library, of whose packages the suite has only what the wheel requires."""
    made = houses.make(tmp_path, vault, served)
    for name in ("docker/python", "recipes/fireclay"):
        shutil.copytree(ROOT / name, made.root / name)
    ignored = shutil.ignore_patterns("__pycache__", "docs", "export", "examples", ".*")
    shutil.copytree(ROOT / "layers", made.root / "layers", ignore=ignored)
    (made.root / "smoke/fireclay").mkdir()
    (made.root / "smoke/fireclay/test_short.py").write_text(SUITE)
    head, *sources = re.split(r"(?m)^(?=  - name: )", (ROOT / RUN).read_text(encoding="utf-8"))
    kept = [each for each in sources if re.match(r"  - name: (numpy|setuptools|wheel)\n", each)]
    assert len(kept) == 5
    (made.root / RUN).write_text("".join([head, *kept]), encoding="utf-8")
    return made


def contents(house: House) -> dict[str, bytes]:
    """The files of the wheel that was built, without the version in their paths."""
    (wheel,) = (house.root / "dist/fireclay").glob("*/*/fireclay-0.2.0+*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {re.sub(r"^fireclay-[^/]*", "info", name): archive.read(name) for name in archive.namelist()}


def test_the_wheel_depends_on_the_folder_alone_and_shows_its_pictures_where_a_url_is_given(
    house: House, tmp_path: Path
) -> None:
    done = house.run("build", "fireclay")
    assert done.returncode == 0, done.stderr
    plain = contents(house)
    assert "Home-page" not in email.message_from_bytes(plain["info/METADATA"])
    assert {"fireclay/__init__.py", "fireclay/py.typed"} <= set(plain)
    assert not [name for name in plain if "test" in name or name.endswith(".png")]
    assert any(name.endswith("LICENSE") for name in plain)

    shutil.rmtree(house.root / "dist")
    refused = house.run("build", "fireclay", "--project-url", "git.example")
    assert refused.returncode == 1
    assert "'git.example' is not a URL: give one such as https://" in refused.stderr

    (house.root / "layers/build").mkdir()
    (house.root / "layers/build/left.py").write_text("over")
    for path in (house.root / "layers").rglob("*"):
        os.utime(path, (1, 1))
    done = house.run("build", "fireclay", "--project-url", URL, "--offline")
    assert done.returncode == 0, done.stderr
    shown = contents(house)
    metadata = email.message_from_bytes(shown["info/METADATA"])
    assert metadata["Home-page"] == URL
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", str(metadata.get_payload()))
    assert pictures and all(each.startswith(f"{URL}/docs/") for each in pictures)
    assert {name for name in plain if plain[name] != shown.get(name)} == {
        f"info/{name}" for name in ("METADATA", "RECORD", "kiln.json")
    }
