from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kiln.core.errors import UsageError
from kiln.plan import planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue, Package
from tests.support import bases, repository
from tests.support.repository import RECIPE, ROOT

LOCK = "recipes/bases/bookworm/lock.yaml"
PATCH = {
    "patches/toy/series.yaml": "patches:\n  - {file: 0001-x.patch, tree: tree, why: because}\n",
    "patches/toy/0001-x.patch": "--- a/x\n+++ b/x\n",
}
WITH_TREE = RECIPE.replace("  - name: toy\n", f'  - name: tree\n    tree: "{"d" * 64}"\n', 1)


def key(root: Path, **asked: object) -> str:
    return planner.make(Catalogue(root), Request("toy", **asked)).key  # type: ignore[arg-type]


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def locked(*packages: Package, **roots: str) -> Callable[[Path], None]:
    """Other packages of the images, or other root file systems."""
    return lambda root: bases.write(root, **{LOCK: bases.lock_text(*packages, **roots)})


@pytest.mark.parametrize(
    "edit",
    [
        replace("recipes/toy/recipe.yaml", "d" * 64, "c" * 64),
        replace("recipes/toy/recipe.yaml", "1585958400", "1585958401"),
        replace("recipes/toy/recipe.yaml", "default: all", "default: some"),
        replace("recipes/toy/recipe.yaml", "cpu_features: sse4.2", "cpu_features: avx2"),
        replace("recipes/toy/recipe.yaml", "{name: compile,", "{name: build,"),
        locked(bases.package("apt", "base", version="1.1"), *bases.LOCKED[1:]),
        locked(bases.package("apt", "base", sha256="e" * 64), *bases.LOCKED[1:]),
        locked(*bases.LOCKED, bases.package("make", "opencv")),
        locked(runtime="e" * 64),
        replace("docker/opencv/compile.sh", "true", "true # edited"),
        replace("docker/common/repair.sh", "true", "true # edited"),
        replace("patches/toy/0001-x.patch", "+++ b/x", "+++ b/y"),
    ],
)
def test_editing_any_input_changes_the_key(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    root = repository.make(tmp_path, WITH_TREE, **PATCH)
    before = key(root)
    edit(root)
    assert key(root) != before


@pytest.mark.parametrize(
    "edit",
    [
        replace("recipes/toy/recipe.yaml", "https://toy.example/toy", "https://mirror.example/toy"),
        replace("recipes/toy/recipe.yaml", "summary: a toy", "summary: the toy"),
        replace("smoke/toy/test_toy.py", "import toy", "import toy as it"),
        replace("recipes/toy/recipe.yaml", "b" * 64, "c" * 64),  # a source of another choice
    ],
)
def test_what_does_not_shape_the_wheel_leaves_the_key_as_it_is(
    tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    root = repository.make(tmp_path)
    before = key(root)
    edit(root)
    assert key(root) == before


def test_a_changed_suite_changes_the_digest_of_the_smoke_run_alone(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    before = planner.make(Catalogue(root), Request("toy"))
    replace("smoke/toy/test_toy.py", "import toy", "import toy as it")(root)
    after = planner.make(Catalogue(root), Request("toy"))
    assert (after.key, after.smoke_key != before.smoke_key) == (before.key, True)


@pytest.mark.parametrize("path", ["smoke/common/run.sh", "layers/layer.py"])
def test_what_the_suite_reads_and_how_it_is_run_is_in_the_digest_of_the_smoke_run_alone(
    tmp_path: Path, path: str
) -> None:
    with_folder = RECIPE.replace("{suite: smoke/toy}", "{suite: smoke/toy, folders: [layers]}")
    root = repository.make(tmp_path, with_folder, **{"layers/layer.py": "true\n"})
    before = planner.make(Catalogue(root), Request("toy"))
    replace(path, "true", "true # edited")(root)
    after = planner.make(Catalogue(root), Request("toy"))
    assert (after.key, after.smoke_key != before.smoke_key) == (before.key, True)


@pytest.mark.parametrize(
    "name",
    [
        ".compile.sh.swp",
        "compile.sh~",
        "#compile.sh#",
        ".#compile.sh",
        "compile.sh.orig",
        "__pycache__/x.pyc",
    ],
)
def test_what_editors_and_tools_leave_behind_is_in_no_key(tmp_path: Path, name: str) -> None:
    root = repository.make(tmp_path)
    before = planner.make(Catalogue(root), Request("toy"))
    for folder in ("docker/opencv", "docker/common", "smoke/toy"):
        path = root / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("left behind")
    after = planner.make(Catalogue(root), Request("toy"))
    assert (after.key, after.smoke_key) == (before.key, before.smoke_key)


def test_a_suite_reads_the_files_and_folders_that_it_names_and_no_others(tmp_path: Path) -> None:
    named = RECIPE.replace(
        "{suite: smoke/toy}", "{suite: smoke/toy, folders: [layers/code, layers/setup.cfg]}"
    )
    files = {"layers/code/layer.py": "true\n", "layers/setup.cfg": "[a]\n", "layers/README.md": "words\n"}
    made = planner.make(Catalogue(repository.make(tmp_path, named, **files)), Request("toy"))
    suite = [file.path for file in made.suite]
    assert "layers/code/layer.py" in suite and "layers/setup.cfg" in suite
    assert "layers/README.md" not in suite


def test_the_stamp_holds_the_key_which_no_input_of_the_key_holds(tmp_path: Path) -> None:
    made = planner.make(Catalogue(repository.make(tmp_path)), Request("toy"))
    assert json.loads(made.stamp)["build_key"] == made.key
    assert made.key not in json.dumps(made.inputs)
    assert made.stamp == planner.make(Catalogue(tmp_path), Request("toy")).stamp


def test_only_a_suite_with_a_benchmark_has_the_step_that_runs_it(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    assert [step.name for step in planner.make(Catalogue(root), Request("toy")).steps][-2:] == [
        "inspect",
        "smoke",
    ]
    for path in ("smoke/toy/speed.py", "smoke/common/speed.sh"):
        (root / path).write_text("true\n")
    assert [step.name for step in planner.make(Catalogue(root), Request("toy")).steps][-3:] == [
        "inspect",
        "smoke",
        "speed",
    ]


def test_the_same_repository_at_another_place_has_the_same_key(tmp_path: Path) -> None:
    first = repository.make(tmp_path / "one", WITH_TREE, **PATCH)
    shutil.copytree(first, tmp_path / "two")
    assert key(first) == key(tmp_path / "two")


@pytest.mark.parametrize(
    "asked",
    [{"options": {"fast": False}}, {"options": {"parts": "one"}}, {"cpu_features": "avx2"}],
)
def test_every_choice_has_a_key_and_a_folder_of_its_own(tmp_path: Path, asked: dict[str, object]) -> None:
    root = repository.make(tmp_path)
    one, other = (
        planner.make(Catalogue(root), Request("toy")),
        planner.make(Catalogue(root), Request("toy", **asked)),
    )  # type: ignore[arg-type]
    assert one.key != other.key
    assert one.folder != other.folder


def test_an_older_glibc_is_a_step_before_the_recipes_own_and_in_key_and_folder(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    replace("recipes/toy/recipe.yaml", "  device: [cpu]", '  device: [cpu]\n  glibc: [native, "2.17"]')(root)
    shutil.copytree(ROOT / "docker/glibc", root / "docker/glibc")
    native, older = (
        planner.make(Catalogue(root), Request("toy", glibc=glibc)) for glibc in ("native", "2.17")
    )
    assert native.key == planner.make(Catalogue(root), Request("toy")).key != older.key
    assert "glibc" not in native.inputs["variant"], "a base's own glibc needs no new key"
    assert older.folder.name == f"{native.folder.name}+glibc-2.17"
    assert [step.name for step in older.steps][:3] == ["python", "glibc", "compile"]
    assert older.environment["KILN_GLIBC"] == "2.17" and "KILN_GLIBC" not in native.environment
    assert any(file.path == "docker/glibc/stubs.py" for file in older.scripts)
    with pytest.raises(UsageError, match=r"is not built for glibc '2\.18'"):
        planner.make(Catalogue(root), Request("toy", glibc="2.18"))


def test_a_condition_on_an_option_chooses_the_sources(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    assert [source.name for source in planner.make(Catalogue(root), Request("toy")).sources] == ["toy"]
    slow = planner.make(Catalogue(root), Request("toy", options={"fast": False}))
    assert [source.name for source in slow.sources] == ["toy", "extra"]


def test_the_json_form_holds_the_key_every_input_and_every_origin(tmp_path: Path) -> None:
    made = planner.make(Catalogue(repository.make(tmp_path)), Request("toy"))
    value = json.loads(made.to_json())
    assert value["key"] == made.key
    assert value["inputs"]["sources"] == [
        {"name": "toy", "file": "toy-1.0.tar.gz", "use": "input", "digest": "a" * 64}
    ]
    assert value["sources"][0]["origins"][0]["url"] == "https://toy.example/toy-1.0.tar.gz"
    assert value["inputs"]["limits"]["network"] == "none"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"python": "2.7"}, "not built for python '2.7': choose one of 3.7, 3.11"),
        ({"device": "tpu"}, "not built for device 'tpu': choose one of cpu"),
        ({"cpu_features": "avx3"}, "avx3"),
        ({"options": {"colour": "red"}}, "no option 'colour': it has fast, parts"),
        ({"python": "3.7"}, "give an interpreter with --python-prefix DIR"),
        ({"python": "3.7", "python_prefix": "/nowhere"}, "holds no bin/python3.7"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_what_does(
    tmp_path: Path, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        planner.make(Catalogue(repository.make(tmp_path)), Request("toy", **asked))  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_feature_lists_are_one_whatever_their_order_and_case(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    assert key(root, cpu_features="AVX2, avx,avx") == key(root, cpu_features="avx,avx2")


def test_another_interpreter_at_the_same_prefix_changes_the_key(tmp_path: Path) -> None:
    root = repository.make(tmp_path / "root")
    program = tmp_path / "prefix" / "bin" / "python3.7"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"one")
    asked = {"python": "3.7", "python_prefix": str(tmp_path / "prefix")}
    before = key(root, **asked)
    program.write_bytes(b"two")
    assert key(root, **asked) != before


def test_a_plan_needs_no_engine_and_no_network(tmp_path: Path) -> None:
    root = repository.make(tmp_path)
    code = "import sys; from pathlib import Path; from kiln import plan, recipe; " \
        "print(plan.make(recipe.Catalogue(Path(sys.argv[1])), plan.Request('toy')).key)"  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": "unix:///nowhere", "PATH": ""}
    command = [sys.executable, "-c", code, str(root)]
    isolated = ["/usr/bin/unshare", "--net", *command] if os.getuid() == 0 else command
    done = subprocess.run(isolated, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == key(root)


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        ('glibc: ">=2.30"', True),
        ('glibc: "<2.30"', False),
        ('glibc: [">=9", "2.36"]', True),
        ('glibc: ">=2.30,<2.36"', False),
        ("fast: true", True),
        ('glibc: ">=2.30", fast: false', False),
    ],
)
def test_a_patch_is_chosen_where_all_its_conditions_hold(
    tmp_path: Path, condition: str, chosen: bool
) -> None:
    files = dict(PATCH)
    files["patches/toy/series.yaml"] = files["patches/toy/series.yaml"].replace(
        "why: because", f"why: because, when: {{{condition}}}"
    )
    root = repository.make(tmp_path, WITH_TREE, **files)
    assert bool(planner.make(Catalogue(root), Request("toy")).patches) is chosen


def test_what_is_known_of_a_bases_library_does_not_enter_the_key(tmp_path: Path) -> None:
    root = repository.make(tmp_path, WITH_TREE)
    before = planner.make(Catalogue(root), Request("toy"))
    replace(repository.BASE, '"2.36"', '"2.37"')(root)
    after = planner.make(Catalogue(root), Request("toy"))
    assert (after.key, after.toolchain.digest) == (before.key, before.toolchain.digest)


def test_a_toolchain_without_packages_has_the_image_of_the_runtime_and_may_repair_wheels_itself(
    tmp_path: Path,
) -> None:
    files = {
        "docker/plain/packages.yaml": "packages: []\n",
        "docker/plain/compile.sh": "true\n",
        "docker/plain/repair.sh": "true\n",
    }
    root = repository.make(tmp_path, RECIPE.replace("toolchain: opencv", "toolchain: plain"), **files)
    made = planner.make(Catalogue(root), Request("toy"))
    assert made.toolchain.image == made.toolchain.runtime
    assert [step.script for step in made.steps if step.station == "wheel"] == ["scripts/repair.sh"]
    (root / "docker/plain/repair.sh").unlink()
    made = planner.make(Catalogue(root), Request("toy"))
    assert [step.script for step in made.steps if step.station == "wheel"] == ["common/repair.sh"]
