from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import rich.console

from kiln.commands import index as commands_index
from kiln.commands.index import Wheelhouse
from kiln.core import Console, DifferenceError, Home, UsageError, sha256_of
from kiln.index import folder as index_folder
from kiln.index import sets, wheelhouse
from kiln.recipe import Catalogue
from kiln.recipe.source import Source
from kiln.sources import FetchSettings, Obtained
from tests.support import repository, wheels
from tests.support.loopback import Notes
from tests.support.repository import ROOT
from tests.support.wheels import Venv

# What a wheel with machine code is for: it does not stand in for that of another Python.
MACHINE = "linux_x86_64"
SETS = """\
sets:
  - name: all
    summary: The toy
    recipes: [toy/1.0, tool/1.0]
    python: ["3.7", "3.11"]
    device: [cpu]
    published:
      - recipe: toy
        source: {{name: toy-of-others, when: {{python: ["3.7"]}}, origins: [{origin}]}}
"""


@dataclass
class Shop:
    """A small repository whose recipe pins what is on the shelf, and what was asked for."""

    folder: Path
    shelf: dict[str, Path] = field(default_factory=dict)

    def add(self, path: Path) -> str:
        """A file that can be had, as an origin."""
        digest = sha256_of(path)
        self.shelf[digest] = path
        project = wheelhouse.project_and_version(path.name)[0]
        return f"{{pypi: {project}, file: {path.name}, sha256: {digest}}}"

    def open(self, pins: Iterable[Path], others: Path) -> Path:
        lines = [
            f"  - {{name: {path.name.split('-')[0]}, use: smoke, origins: [{self.add(path)}]}}\n"
            for path in pins
        ]
        text = repository.RECIPE.replace("steps:\n", "".join([*lines, "steps:\n"]))
        text += "include: []\n"
        return repository.make(
            self.folder / "root",
            text,
            **{
                "recipes/tool/recipe.yaml": text.replace("name: toy\nreleases", "name: tool\nreleases"),
                "requirements/sets.yaml": SETS.format(origin=self.add(others)),
            },
        )

    def obtain(self, wanted: Sequence[Source]) -> list[Obtained]:
        return [
            Obtained(each, self.shelf[each.digest], str(each.origins[0]), each.origins[0]) for each in wanted
        ]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def stock(shop: Shop) -> Callable[..., Path]:
    """A repository that pins what the toy needs, a source distribution among it, and what nobody needs."""

    def opened(version: str = "2.0") -> Path:
        shelf = shop.folder / "shelf"
        pins = [
            wheels.wheel(
                shelf, "needed", version, requires=("deep; python_version >= '3'", "never; extra == 'x'")
            ),
            wheels.sdist(shelf, "deep", "3.0"),
            wheels.wheel(shelf, "setuptools", "68.0"),
            wheels.wheel(shelf, "wheel", "0.42"),
            wheels.wheel(shelf, "unneeded", "1.0"),
        ]
        return shop.open(pins, wheels.wheel(shelf, "toy-of-others", "1.0.9", requires=("needed",)))

    return opened


def test_a_set_holds_all_that_its_wheels_need_with_hashes_and_says_what_was_not_built(
    shop: Shop, stock: Callable[..., Path]
) -> None:
    root = stock()
    built = wheelhouse.read_result(wheels.result(shop.folder, requires=("needed>=2",), platform=MACHINE))
    made = sets.make_sets(Catalogue(root), [built], shop.obtain)
    assert list(made.texts) == ["all-cp37-cpu.txt", "all-cp311-cpu.txt"]
    others, ours = (text.decode() for text in made.texts.values())
    assert (
        "# toy 1.0: not built here; toy_of_others-1.0.9-py3-none-any.whl is what others published\n" in others
    )
    assert f"# toy 1.0: built by Kiln, 1 smoke tests passed; build key {built.entry.built.key}\n" in ours  # type: ignore[union-attr]
    assert "# tool 1.0: not built here, and not published for this Python: left out\n" in ours
    pinned = re.findall(r"^(\S+) \\\n    --hash=sha256:([0-9a-f]{64})$", ours, re.M)
    names = ["toy==1.0+1", "deep==3.0", "needed==2.0", "setuptools==68.0", "wheel==0.42"]
    assert [name for name, _ in pinned] == names
    assert dict(pinned)["toy==1.0+1"] == built.entry.sha256
    assert all(digest in shop.shelf for _, digest in pinned[1:])
    assert {item.entry.project for item in made.items} == {
        "toy-of-others", "deep", "needed", "setuptools", "wheel",
    }  # fmt: skip


def test_a_set_is_not_made_where_its_first_wheel_is_not_there_and_a_variant_does_not_stand_in_for_it(
    shop: Shop, stock: Callable[..., Path]
) -> None:
    root = stock()
    built = wheelhouse.read_result(wheels.result(shop.folder, cpu_features="avx2", platform=MACHINE))
    assert list(sets.make_sets(Catalogue(root), [built], shop.obtain).texts) == ["all-cp37-cpu.txt"]


def test_a_wheel_without_machine_code_is_in_the_sets_of_every_python(
    shop: Shop, stock: Callable[..., Path]
) -> None:
    root = stock()
    built = wheelhouse.read_result(wheels.result(shop.folder, requires=("needed>=2",)))
    made = sets.make_sets(Catalogue(root), [built], shop.obtain)
    assert list(made.texts) == ["all-cp37-cpu.txt", "all-cp311-cpu.txt"]
    for text in made.texts.values():
        assert f"toy==1.0+1 \\\n    --hash=sha256:{built.entry.sha256}\n" in text.decode()


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("needed>=3", "needs needed>=3, but needed-2.0-py3-none-any.whl is pinned"),
        ("absent", "needs absent, which nothing pins"),
    ],
)
def test_packages_that_do_not_fit_together_make_no_set(
    shop: Shop, stock: Callable[..., Path], requirement: str, message: str
) -> None:
    root = stock()
    built = wheelhouse.read_result(wheels.result(shop.folder, requires=(requirement,)))
    with pytest.raises(UsageError, match=message):
        sets.make_sets(Catalogue(root), [built], shop.obtain)


CUT = """
set -e
ip link set lo up
"$1" -c '
import sys; from pathlib import Path; from kiln import index
server = index.serve(Path(sys.argv[1]), 8123)
print("ready", flush=True)
server.serve_forever()' "$2" > "$2/ready" & server=$!
trap 'kill $server' EXIT
until grep -q ready "$2/ready"; do kill -0 $server; sleep 0.05; done
address=http://127.0.0.1:8123
shift 2
"$@"
"""


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_set_is_installed_from_its_index_where_there_is_no_other_network(
    shop: Shop, stock: Callable[..., Path], tmp_path: Path, installer: str
) -> None:
    private = ["unshare", "--map-root-user", "--net"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*private, "ip", "link"], capture_output=True).returncode
    ):
        pytest.skip("this machine lets nobody have a network of his own")
    root = stock()
    built = wheelhouse.read_result(wheels.result(shop.folder, requires=("needed>=2",), platform=MACHINE))
    made = sets.make_sets(Catalogue(root), [built], shop.obtain)
    folder = tmp_path / "index"
    index_folder.update(folder, [built, *made.items], made.texts, Notes())
    venv = Venv(tmp_path / "venv")
    address = "http://127.0.0.1:8123"
    asked = [
        "--require-hashes",
        "--index-url",
        f"{address}/simple/",
        "-r",
        folder / "sets" / "all-cp311-cpu.txt",
    ]
    if installer == "pip":
        command = [sys.executable, "-m", "pip", "--python", venv.folder, "install", "--no-cache-dir", *asked]
    else:
        uv = Path(sys.executable).with_name("uv")
        command = [
            uv,
            "pip",
            "install",
            "--no-cache",
            "--no-config",
            "--python",
            venv.folder / "bin/python",
            *asked,
        ]
    done = subprocess.run(
        [*private, "bash", "-c", CUT, "cut", sys.executable, folder, *command],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (venv.says(), venv.says("needed"), venv.says("deep")) == ("1.0+1", "2.0", "3.0")


def test_the_committed_sets_pin_nothing_but_what_recipes_pin_and_kiln_makes() -> None:
    wanted = [
        each
        for each in sets.read_sets(ROOT)
        # What nobody published has a set only where it was built.
        if any(each.recipes[0].startswith(f"{other.recipe}/") for other in each.published)
    ]
    names = {
        f"{each.name}-cp{python.replace('.', '')}-{device}.txt"
        for each in wanted
        for python in each.python
        for device in each.device
    }
    files = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "requirements/sets").glob("*.txt")
    }
    assert set(files) == names
    for each in wanted:
        known = {other.source.digest for other in each.published}
        for name in each.recipes:
            known |= {source.digest for source in Catalogue(ROOT).load(*name.split("/")).sources}
        made = {"tensorflow", "opencv-python", "fireclay"}
        for name in (name for name in files if name.startswith(f"{each.name}-cp")):
            text = files[name]
            pins = re.findall(r"^(\S+)==\S+ \\\n    --hash=sha256:([0-9a-f]{64})$", text, re.M)
            assert len(pins) > 20, name
            for project, digest in pins:
                assert digest in known or project in made, (name, project)


def test_a_checkout_without_the_wheel_that_a_set_names_leaves_the_set_as_it_is(
    shop: Shop, stock: Callable[..., Path], tmp_path: Path
) -> None:
    root = stock()
    listed = root / "requirements" / "sets.yaml"
    listed.write_text(
        listed.read_text().replace('when: {python: ["3.7"]}', 'when: {python: ["3.7", "3.11"]}')
    )
    result = wheels.result(shop.folder, requires=("needed>=2",), platform=MACHINE)
    house = Wheelhouse(
        Catalogue(root),
        (result,),
        Home.of({"KILN_HOME": str(tmp_path / "home")}),
        FetchSettings(offline=True, folder=shop.folder / "shelf"),
    )
    output, said = tmp_path / "sets", io.StringIO()
    console = Console(rich.console.Console(file=said, width=200))
    commands_index.write_sets(house, output, False, console)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    fresh = replace(house, folders=(root / "dist",))
    # For Python 3.11 the wheel of others would stand in for the one that was built elsewhere.
    commands_index.write_sets(fresh, output, True, console)
    commands_index.write_sets(fresh, output, False, console)
    assert "all-cp311-cpu.txt is left as it is: it names a wheel that was not built here" in said.getvalue()
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    (output / "all-cp37-cpu.txt").write_text("toy==0.9\n")
    with pytest.raises(DifferenceError, match=r"all-cp37-cpu\.txt would change"):
        commands_index.write_sets(fresh, output, True, console)
