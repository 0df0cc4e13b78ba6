"""What a recipe's options take is known in the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiln.core.errors import UsageError
from kiln.plan import Plan, Request, planner
from kiln.recipe import Catalogue
from tests.support import repository
from tests.support.repository import RECIPE, ROOT

PARTS = """\
parts:
  - {option: parts, names: [core, image]}
  - {option: parts, when: {fast: true}, names: [speed]}
  - {option: parts, why: it needs another library, names: [windows]}
refusals:
  - {when: {parts: [some], fast: true}, why: some of it is never fast, cure: give --no-fast}
"""
TOY = RECIPE.replace("default: all", "default: all, choices: [all, some]") + PARTS


def plan(folder: Path, text: str = TOY, **options: object) -> Plan:
    root = folder if (folder / "recipes").exists() else repository.make(folder, text)
    return planner.make(Catalogue(root), Request("toy", options=options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "listed", "sentence"),
    [
        ("nosuch", {}, "'nosuch': choose all, some, or a comma-separated list of core, image, speed"),
        ("core,windows", {}, "'windows' (it needs another library): choose"),
        (
            "core,speed",
            {"fast": False},
            "'speed' (it needs --fast): choose all, some, or a comma-separated list",
        ),
        ("core,,image", {}, "'': choose"),
        ("", {}, "'': choose"),
    ],
)
def test_a_part_that_is_not_there_is_refused_with_the_reason(
    tmp_path: Path, given: str, listed: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        plan(tmp_path, parts=given, **listed)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"--parts of toy 1.0 cannot have {sentence}")


def test_scripts_get_the_parts_that_can_be_listed(tmp_path: Path) -> None:
    assert plan(tmp_path, parts="image,core").environment["KILN_PARTS_PARTS"] == "core image speed"
    assert plan(tmp_path, fast=False).environment["KILN_PARTS_PARTS"] == "core image"


def test_a_combination_that_makes_no_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^toy 1\.0: some of it is never fast: give --no-fast$"):
        plan(tmp_path, parts="some")
    assert plan(tmp_path, parts="some", fast=False).options["parts"] == "some"


def test_a_combination_may_be_refused_unless_something_else_is_chosen(tmp_path: Path) -> None:
    text = TOY.replace("parts: [some], fast: true}", 'fast: false}, unless: {parts: [some, "*image*"]}')
    with pytest.raises(UsageError, match=r"^toy 1\.0: some of it is never fast"):
        plan(tmp_path, text, fast=False)
    for parts in ("some", "core,image"):
        assert plan(tmp_path, parts=parts, fast=False).options["parts"] == parts
    assert plan(tmp_path).options["fast"] is True


def test_a_condition_under_unless_is_a_fact_of_a_build(tmp_path: Path) -> None:
    text = TOY.replace("fast: true}, why: some", "fast: true}, unless: {speed: 1}, why: some")
    with pytest.raises(UsageError, match=r"refusals\[0\].unless.speed: no such condition"):
        plan(tmp_path, text)


def test_parts_of_an_option_that_is_not_there_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipe.yaml:\d+: parts\[0\].option: there is no option 'pieces'"):
        plan(tmp_path, TOY.replace("option: parts, names: [core", "option: pieces, names: [core"))


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (
            {"modules": "nosuch"},
            "--modules of opencv 4.3.0 cannot have 'nosuch': choose full, headless, or a",
        ),
        ({"modules": "core,cudacodec"}, "cannot have 'cudacodec' (it needs NVIDIA's video SDK)"),
        ({"modules": "core,aruco"}, "cannot have 'aruco' (it needs --contrib)"),
        ({"modules": "core,cudaarithm"}, "cannot have 'cudaarithm' (it needs --device cuda-11.8)"),
        ({"codecs": "none"}, "--codecs of opencv 4.3.0 cannot be 'none': choose bundled or system"),
        ({"gui": "gtk4"}, "--gui of opencv 4.3.0 cannot be 'gtk4'"),
        (
            {"gui": "qt", "modules": "headless"},
            "module highgui: add highgui to --modules, or give --gui none",
        ),
        ({"gui": "gtk", "modules": "core,imgproc"}, "windows are shown by the module highgui"),
        ({"gstreamer": True, "modules": "core"}, "add videoio to --modules, or do without --gstreamer"),
        ({"threads": "openmp"}, "--threads of opencv 4.3.0 cannot be 'openmp': choose pthreads or tbb"),
    ],
)
def test_opencv_says_in_the_plan_what_it_cannot_build(options: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        planner.make(Catalogue(ROOT), Request("opencv", options=options))
    assert wrong in str(caught.value)


@pytest.mark.parametrize(
    ("release", "options", "some", "none"),
    [
        ("4.3.0", {"contrib": True}, {"aruco", "core"}, {"cudaarithm", "sfm", "python", "gapi"}),
        ("4.4.0", {}, {"core", "highgui"}, {"aruco", "objc", "ts"}),
    ],
)
def test_opencvs_script_builds_the_modules_of_the_lock(
    release: str, options: dict[str, bool], some: set[str], none: set[str]
) -> None:
    made = planner.make(Catalogue(ROOT), Request("opencv", release=release, options=options))
    known = set(made.environment["KILN_PARTS_MODULES"].split())
    assert some <= known and not none & known


def test_opencv_with_windows_is_built_and_tested_where_their_libraries_are() -> None:
    def images(**options: object) -> list[str]:
        made = planner.make(Catalogue(ROOT), Request("opencv", options=options))  # type: ignore[arg-type]
        return [image.name for image in made.toolchain.images]

    assert images() == ["runtime", "opencv"]
    desktop = ["runtime+opencv-desktop", "opencv+desktop"]
    assert images(gui="qt", modules="core,highgui") == desktop
    assert images(gui="gtk") == images(gstreamer=True, modules="headless") == desktop


def test_cudnn_is_not_put_into_a_wheel() -> None:
    asked = {"cuda_libs": "bundled"}
    with pytest.raises(UsageError, match=r"cuDNN .* give --no-cudnn, or another --cuda-libs"):
        planner.make(Catalogue(ROOT), Request("opencv", device="cuda-11.8", options=asked))
    more = {**asked, "modules": "core,cudaarithm"}
    made = planner.make(Catalogue(ROOT), Request("opencv", device="cuda-11.8", options=more))
    assert "cudaarithm" in made.environment["KILN_PARTS_MODULES"].split()


@pytest.mark.parametrize(
    ("options", "compiled"),
    [
        ({}, True),
        ({"modules": "headless"}, True),
        ({"modules": "core,imgproc,videoio"}, True),
        ({"modules": "core"}, False),
        ({"modules": "videostab,core", "contrib": True}, False),
        ({"ffmpeg": False}, False),
    ],
)
def test_opencv_compiles_ffmpeg_for_the_module_that_calls_it(
    options: dict[str, object], compiled: bool
) -> None:
    made = planner.make(Catalogue(ROOT), Request("opencv", options=options))  # type: ignore[arg-type]
    assert ("ffmpeg" in {step.name for step in made.steps}) == compiled
    assert ({"ffmpeg", "libvpx", "nasm"} <= {source.name for source in made.sources}) == compiled
    assert bool(made.patches) == compiled
