"""A small repository of the same shape as this one, for tests: recipes, scripts and a suite of its own."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from tests.support import bases

ROOT = Path(__file__).resolve().parents[2]
BASE = "recipes/bases/bookworm/base.yaml"

RECIPE = """\
name: toy
releases: {"1.0": {}}
summary: a toy
homepage: https://toy.example/
license: MIT
toolchain: opencv
source_date_epoch: 1585958400
variants:
  device: [cpu]
  base: [bookworm]
  python: ["3.7", "3.11"]
  defaults: {device: cpu, base: bookworm, python: "3.11", cpu_features: sse4.2}
options:
  - {name: fast, type: bool, default: true, help: "be fast"}
  - {name: parts, type: str, default: all, help: "which parts"}
sources:
  - name: toy
    origins:
      - url: https://toy.example/toy-1.0.tar.gz
        sha256: "AAAA"
        size: 3
  - name: extra
    when: {fast: false}
    origins:
      - {pypi: extra, file: extra-1.0.tar.gz, sha256: "BBBB"}
steps:
  - {name: compile, run: scripts/compile.sh}
smoke: {suite: smoke/toy}
""".replace("AAAA", "a" * 64).replace("BBBB", "b" * 64)


def make(folder: Path, recipe: str = RECIPE, **files: str) -> Path:
    """A repository with the recipe `toy`; `files` are further files by path."""
    content = {
        "recipes/toy/recipe.yaml": recipe,
        **bases.files(),
        "docker/opencv/compile.sh": "true\n",
        "docker/common/patch.sh": "true\n",
        "docker/common/python.sh": "true\n",
        "docker/common/repair.sh": "true\n",
        "smoke/common/inspect.sh": "true\n",
        "smoke/common/run.sh": "true\n",
        "smoke/toy/test_toy.py": "def test_toy():\n    import toy\n",
        **files,
    }
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return folder
