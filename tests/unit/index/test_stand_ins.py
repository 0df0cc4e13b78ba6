"""Wheels without files under the other names of a built wheel, with the real pip and uv."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.archive import inspect_wheel
from kiln.commands import index as commands
from kiln.core import Console, UsageError
from kiln.index import folder as index_folder
from kiln.index import pages, server
from kiln.recipe import Catalogue
from tests.support import repository, wheels
from tests.support.repository import RECIPE, ROOT
from tests.support.wheels import Venv

NAMES = """\
stand_ins:
  toy-lite: [toy-full, toy]
  toy: [toy-full]
smoke: {suite: smoke/toy, distributions: [toy, toy-lite, toy-full]}
"""
TOY = RECIPE.replace("smoke: {suite: smoke/toy}\n", NAMES)


def built(folder: Path, **asked: object) -> Path:
    repository.make(folder / "root", TOY)
    wheels.result(folder, **asked)  # type: ignore[arg-type]
    return folder


def make(folder: Path, target: Path) -> dict[str, index_folder.Entry]:
    """The index of a folder's results, by file."""
    environment = {"KILN_HOME": str(folder / "home")}
    results = [str(folder / "results")]
    house = commands.Wheelhouse.of(Catalogue(folder / "root"), results, environment, offline=True)
    commands.update_index(house, target, with_dependencies=False, console=Console())
    return {entry.file: entry for entry in index_folder.read(target)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the toy in two variants, 1.0+1 and 1.0+nofast."""
    folder = tmp_path_factory.mktemp("house")
    built(folder)
    return built(folder, options={"fast": False})


@pytest.fixture(scope="module")
def made(house: Path) -> Path:
    make(house, house / "index")
    return house / "index"


@pytest.fixture(scope="module")
def served(made: Path) -> Iterator[str]:
    serving = server.serve(made, 0)
    threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_address[1]}/simple/"
    serving.shutdown()
    serving.server_close()


def test_another_name_has_a_wheel_for_each_one_that_was_built(house: Path, made: Path) -> None:
    files = {entry.file: entry.stands_for for entry in index_folder.read(made)}
    assert files == {
        "toy-1.0+1-py3-none-any.whl": None,
        "toy-1.0+nofast-py3-none-any.whl": None,
        "toy_lite-1.0+0.1-py3-none-any.whl": "toy-1.0+1-py3-none-any.whl",
        "toy_lite-1.0+0.nofast-py3-none-any.whl": "toy-1.0+nofast-py3-none-any.whl",
    }
    page = pages.all_of(index_folder.read(made), [])["index.html"]
    assert "toy-lite" in page and "What they are installed with" not in page


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("toy-lite", "1.0+1"),
        ("toy-lite>=0.9,<2", "1.0+1"),
        ("toy-lite==1.0", "1.0+1"),
        ("toy-lite==1.0+0.nofast", "1.0+nofast"),
    ],
)
def test_an_installer_takes_the_one_package_by_its_other_name(
    served: str, tmp_path: Path, installer: str, asked: str, got: str
) -> None:
    venv = Venv(tmp_path)
    done = getattr(venv, installer)(served, asked)
    assert done.returncode == 0, done.stderr
    assert venv.says() == got


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_two_names_bring_one_package(served: str, tmp_path: Path, installer: str) -> None:
    done = getattr(Venv(tmp_path), installer)(served, "toy-lite", "toy")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("toy*.py")] == ["toy.py"]


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_names_are_pinned_by_their_hashes(served: str, made: Path, tmp_path: Path, installer: str) -> None:
    lines = []
    for project, version, file in (
        ("toy-lite", "1.0+0.1", "toy_lite-1.0+0.1-py3-none-any.whl"),
        ("toy", "1.0+1", "toy-1.0+1-py3-none-any.whl"),
    ):
        digest = hashlib.sha256((made / "files" / file).read_bytes()).hexdigest()
        lines.append(f"{project}=={version} --hash=sha256:{digest}\n")
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(lines))
    venv = Venv(tmp_path / "venv")
    done = getattr(venv, installer)(served, "--require-hashes", "-r", pins)
    assert done.returncode == 0, done.stderr
    assert venv.says() == "1.0+1"
    pins.write_text(lines[0].replace("sha256:", "sha256:0")[:-2] + "\n" + lines[1])
    assert getattr(venv, installer)(served, "--require-hashes", "-r", pins).returncode != 0


def test_a_stand_in_is_a_sound_wheel_without_files_and_the_same_bytes_each_time(
    house: Path, made: Path, tmp_path: Path
) -> None:
    again = make(house, tmp_path / "again")
    for entry in index_folder.read(made):
        assert again[entry.file] == entry
    stand_in = made / "files" / "toy_lite-1.0+0.1-py3-none-any.whl"
    inspect_wheel(stand_in)
    with zipfile.ZipFile(stand_in) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"toy_lite-1.0+0.1.dist-info"}
        metadata = archive.read("toy_lite-1.0+0.1.dist-info/METADATA").decode()
    assert "Requires-Dist: toy==1.0+1\n" in metadata and "Requires-Python: >=3.6\n" in metadata


def test_a_wheel_that_comes_later_under_the_name_is_taken_and_no_file_changes(tmp_path: Path) -> None:
    folder = built(tmp_path)
    before = make(folder, tmp_path / "index")
    built(folder, name="toy-lite", options={"parts": "few"}, local="1")
    built(folder, name="toy-full", options={"parts": "more"}, local="1")
    after = make(folder, tmp_path / "index")
    assert {file: after[file] for file in before} == before
    assert set(after) - set(before) == {"toy_lite-1.0+1-py3-none-any.whl", "toy_full-1.0+1-py3-none-any.whl"}
    venv = Venv(tmp_path / "venv")
    done = venv.pip((tmp_path / "index" / "simple").as_uri() + "/", "toy-lite")
    assert done.returncode == 0 and venv.says("toy_lite") == "1.0+1", done.stderr


def test_the_wheel_with_most_in_it_is_required(tmp_path: Path) -> None:
    folder = built(tmp_path)
    built(folder, name="toy-full", options={"parts": "more"}, local="1")
    made = make(folder, tmp_path / "index")
    assert made["toy_lite-1.0+0.1-py3-none-any.whl"].stands_for == "toy_full-1.0+1-py3-none-any.whl"


def test_a_name_that_no_wheel_has_is_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    root = repository.make(tmp_path, TOY.replace("toy-lite: [", "toy-light: ["))
    with pytest.raises(
        UsageError, match=r"stand_ins.toy-light: 'toy-light' is not one of smoke.distributions"
    ):
        Catalogue(root).describe("toy")


def test_opencvs_widest_wheel_has_all_names() -> None:
    opencv = Catalogue(ROOT).describe("opencv")
    names = {name for name, own in opencv.stand_ins.items() if "opencv-contrib-python" in own}
    assert {"opencv-contrib-python", *names} == set(opencv.smoke.distributions)
