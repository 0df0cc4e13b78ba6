"""A Bazel workspace of TensorFlow's shape as a recipe: `flow`, built by TensorFlow's own steps and scripts."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from kiln.archive import tree_digest, unpacker
from tests.support import archives
from tests.support.repository import ROOT

HERE = Path(__file__).resolve().parent
EXTERNALS = ("mixing", "stamps")


def publish(folder: Path, address: str) -> None:
    """The workspace and its external archives as files in `folder`, which is served at `address`."""
    for name in EXTERNALS:
        packed = archives.pack(_tree(HERE / "externals" / name), "tar.gz", prefix=f"{name}-1.0/")
        (folder / f"{name}-1.0.tar.gz").write_bytes(packed)
    (folder / "flow-1.0.tar.gz").write_bytes(
        archives.pack(_workspace(folder, address), "tar.gz", prefix="flow-1.0/")
    )


def repository(root: Path, folder: Path, address: str) -> None:
    """A repository at `root` with the recipe `flow`; its lock is not there yet."""
    for name in (
        "docker/base",
        "docker/common",
        "docker/glibc",
        "docker/tensorflow",
        "recipes/bases",
        "recipes/shared",
        "smoke/common",
    ):
        shutil.copytree(ROOT / name, root / name)
    recipe = root / "recipes/flow"
    for source, target in {
        ROOT / "tasks.py": root / "tasks.py",
        HERE / "test_flow.py": root / "smoke/flow/test_flow.py",
        HERE / "python-3.11.yaml": root / "recipes/shared/flow-build.yaml",
        HERE / "lock.yaml": recipe / "lock.yaml",
        HERE / "needed.txt": recipe / "needed.txt",
        ROOT / "recipes/tensorflow/cures.yaml": root / "recipes/flow/cures.yaml",
    }.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    # On the base's own Python the workspace needs no package of TensorFlow's.
    pins = root / "recipes/shared/tensorflow-build.yaml"
    listed = yaml.safe_load(pins.read_text(encoding="utf-8"))["sources"]
    kept = [source for source in listed if "3.7" in source["when"]["python"]]
    pins.write_text(yaml.safe_dump({"sources": kept}), encoding="utf-8")
    (root / "kiln").symlink_to(ROOT / "kiln")
    (recipe / "recipe.yaml").write_text(yaml.safe_dump(_recipe(folder, address)), encoding="utf-8")


def with_preflight(root: Path) -> None:
    """Let the recipe have all of TensorFlow's steps."""
    path = root / "recipes/flow/recipe.yaml"
    recipe = {**yaml.safe_load(path.read_text(encoding="utf-8")), "steps": _tensorflow()["steps"]}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")


def _tensorflow() -> dict[str, Any]:
    recipe: dict[str, Any] = yaml.safe_load(
        (ROOT / "recipes/tensorflow/recipe.yaml").read_text(encoding="utf-8")
    )
    return recipe


def _recipe(folder: Path, address: str) -> dict[str, Any]:
    """TensorFlow's recipe with another source tree: the same toolchain, options, steps and Bazel.

    But without the preflight step, which wants TensorFlow's own pins: they are for other interpreters.
    """
    recipe = _tensorflow()
    (bazel,) = (source for source in recipe["sources"] if source["name"] == "bazel")
    bazel["origins"] = [origin for origin in bazel["origins"] if "npm" in origin]
    packed = folder / "flow-1.0.tar.gz"
    with tempfile.TemporaryDirectory() as scratch:
        unpacker.unpack(packed, Path(scratch, "tree"), "flow-1.0")
        digest = tree_digest(Path(scratch, "tree"))
    tree = {
        "name": "tensorflow",
        "tree": digest,
        "origins": [
            {"url": f"{address}/{packed.name}", "sha256": sha256(packed), "member": "flow-1.0"},
        ],
    }
    del recipe["task"], recipe["default"]
    return {
        **recipe,
        "name": "flow",
        "releases": {"1.0": {"source_date_epoch": 1609791522}},
        "summary": "operators on lists of numbers",
        "include": [
            "shared/python-tools.yaml",
            "shared/tensorflow-build.yaml",
            "shared/flow-build.yaml",
            "shared/pytest.yaml",
        ],
        "variants": {
            "device": ["cpu"],
            "base": ["bookworm"],
            "python": ["3.7", "3.11"],
            "glibc": recipe["variants"]["glibc"],
            "defaults": {**recipe["variants"]["defaults"], "python": "3.11", "cpu_features": "sse4.2"},
        },
        "options": [
            {**option, "default": "flow"} if option["name"] == "project_name" else option
            for option in recipe["options"]
        ],
        "sources": [tree, bazel],
        "steps": [step for step in recipe["steps"] if step["name"] != "preflight"],
        "smoke": {"suite": "smoke/flow"},
    }


def _workspace(folder: Path, address: str) -> dict[str, archives.File]:
    """The workspace's files, with the address and the hashes of its external archives."""
    values = {f"SHA256_{name}": sha256(folder / f"{name}-1.0.tar.gz") for name in EXTERNALS}
    tree = _tree(HERE / "tree")
    for path in (path for path in tree if path.endswith(("WORKSPACE", ".bzl"))):
        text = tree[path].data.decode()
        for name, value in {**values, "URL": address}.items():
            text = text.replace(name, value)
        tree[path] = archives.File(text.encode())
    return tree


def _tree(folder: Path) -> dict[str, archives.File]:
    return {
        path.relative_to(folder).as_posix(): archives.File(
            path.read_bytes(), bool(path.stat().st_mode & 0o100)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
