from __future__ import annotations

from pathlib import Path

from kiln.attest import copy_checkout
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from tests.support import repository


def test_a_copied_checkout_gives_the_same_build_key_with_the_modes_of_its_umask(tmp_path: Path) -> None:
    root = repository.make(tmp_path / "root")
    script = root / "docker/opencv/compile.sh"
    script.chmod(0o700)
    planned = planner.make(Catalogue(root), Request("toy"))
    copy = tmp_path / "copy"
    (copy / "recipes").mkdir(parents=True)
    (copy / "recipes/left.yaml").write_text("of an earlier run")
    copy_checkout(root, planned, copy, 0o002)
    assert not (copy / "recipes/left.yaml").exists()
    assert planner.make(Catalogue(copy), Request("toy")).key == planned.key
    assert (copy / "docker/opencv/compile.sh").stat().st_mode & 0o777 == 0o775
    assert (copy / "recipes/toy/recipe.yaml").stat().st_mode & 0o777 == 0o664
    assert (copy / "recipes/toy").stat().st_mode & 0o777 == 0o775
