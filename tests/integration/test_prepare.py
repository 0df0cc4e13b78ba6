"""Trees that a script makes ready in the toolchain, before anything is built of them."""

from __future__ import annotations

from pathlib import Path

from kiln.archive import tree_digest
from tests.support.house import House
from tests.support.repository import ROOT

SCRIPT = """\
set -eu
cd /kiln/trees/toy
if (exec 3<>/dev/tcp/192.0.2.1/80) 2>/dev/null; then exit 9; fi
echo '#define ANSWER_OF_THE_TREE 42' > generated.h
sed -i '1i #include "generated.h"' toy.c
"""


def prepared(house: House, tmp_path: Path, generated: str) -> None:
    """Let the recipe's tree be what the script is expected to make of the archive."""
    tree = tmp_path / "expected"
    tree.mkdir()
    (tree / "generated.h").write_text(generated)
    source = (ROOT / "tests/projects/toy" / "toy.c").read_text(encoding="utf-8")
    (tree / "toy.c").write_text('#include "generated.h"\n' + source)
    (house.root / "docker/opencv/ready.sh").write_text(SCRIPT)
    recipe = house.root / "recipes/toy/recipe.yaml"
    before = recipe.read_text().partition("tree: ")[2].partition("\n")[0]
    house.replace(
        "recipes/toy/recipe.yaml",
        f"tree: {before}",
        f"tree: {tree_digest(tree)}\n    prepare: scripts/ready.sh",
    )


def test_a_build_uses_the_tree_that_its_script_has_made(house: House, tmp_path: Path) -> None:
    prepared(house, tmp_path, "#define ANSWER_OF_THE_TREE 42\n")
    done = house.run("build", "toy", "--answer", "ANSWER_OF_THE_TREE")
    assert done.returncode == 0, done.stderr


def test_a_script_that_makes_another_tree_than_the_pinned_one_ends_the_build(
    house: House, tmp_path: Path
) -> None:
    prepared(house, tmp_path, "#define ANSWER_OF_THE_TREE 41\n")
    done = house.run("build", "toy")
    assert done.returncode == 3
    assert "toy as scripts/ready.sh leaves it is the tree" in done.stderr and "Traceback" not in done.stderr
