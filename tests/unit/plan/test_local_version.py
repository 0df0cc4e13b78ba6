from __future__ import annotations

import io
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kiln.core.fields import Value
from kiln.plan import local_version, planner
from kiln.plan.planner import Request
from kiln.recipe import Catalogue, cpu
from tests.support import repository
from tests.support.repository import ROOT

sys.path.insert(0, str(ROOT / "docker" / "common"))
from label import label
from normalise import normalise


def local(name: str, **asked: object) -> str:
    return planner.make(Catalogue(ROOT), Request(name, **asked)).environment["KILN_LOCAL_VERSION"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("opencv", {}, "1"),
        ("opencv", {"cpu_features": "avx,avx2,fma,sse4.2"}, "avx2"),
        ("opencv", {"cpu_features": "baseline"}, "baseline"),
        ("opencv", {"cpu_features": "avx2"}, "cpu.avx2"),
        ("opencv", {"glibc": "2.28"}, "glibc228"),
        ("opencv", {"glibc": "native"}, "glibcnative"),
        ("opencv", {"options": {"contrib": True, "modules": "headless"}}, "1"),
        ("opencv", {"options": {"ipp": False, "threads": "tbb"}}, "noipp.threads.tbb"),
        ("opencv", {"options": {"modules": "core,dnn"}}, "modules.x233027c0"),
        ("tensorflow", {"options": {"project_name": "tensorflow-cpu"}}, "1"),
        ("tensorflow", {"options": {"xla": True}, "cpu_features": "sse4.2"}, "sse42.xla"),
    ],
)
def test_a_variant_is_told_by_what_is_not_the_recipes_own_choice(
    name: str, asked: dict[str, object], expected: str
) -> None:
    assert local(name, **asked) == expected


def test_a_new_revision_of_the_recipe_is_another_version_of_every_variant(tmp_path: Path) -> None:
    text = repository.RECIPE.replace("license: MIT", "license: MIT\nrevision: 2")
    root = repository.make(tmp_path, text)
    versions = [
        planner.make(Catalogue(root), Request("toy", options=options)).environment["KILN_LOCAL_VERSION"]
        for options in ({}, {"fast": False})
    ]
    assert versions == ["2", "nofast.2"]


features = st.sampled_from(["baseline", "sse4.2", "avx,avx2,fma,sse4.2", "avx2", "sse3,avx", "avx", "sse4.1"])
options = st.fixed_dictionaries(
    {
        "modules": st.sampled_from(
            ["full", "core", "core,imgproc", "core,ipp", "imgproc,core", "no-ipp", "x1"]
        ),
        "codecs": st.sampled_from(["bundled", "system", "core"]),
        "ipp": st.booleans(),
        "threads": st.sampled_from(["pthreads", "tbb", "TBB"]),
    }
)


RECIPE = Catalogue(ROOT).load("opencv", "4.3.0")


def version(features: str, chosen: dict[str, Value]) -> Version:
    variant = {**asdict(RECIPE.variants.defaults), "cpu_features": cpu.canonical(features)}
    return Version(f"4.3.0+{local_version.of(RECIPE, variant, {**chosen, 'contrib': False}, ())}")


@given(features, options, features, options)
def test_two_variants_have_one_version_only_where_they_are_the_same(
    one: str, chosen: dict[str, Value], other: str, also: dict[str, Value]
) -> None:
    same = (cpu.canonical(one), chosen) == (cpu.canonical(other), also)
    assert (version(one, chosen) == version(other, also)) == same


@given(features, options)
def test_of_all_variants_the_recipes_own_choice_is_what_a_plain_requirement_gets(
    features: str, chosen: dict[str, Value]
) -> None:
    assert version(features, chosen) in SpecifierSet("==4.3.0")
    assert version(features, chosen) <= Version("4.3.0+1")


def packed(**changed: bytes) -> bytes:
    files = {
        "toy/__init__.py": b"x = 1\n",
        "toy-1.0.data/purelib/more.py": b"",
        "toy-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n\nVersion: 1.0\n",
        "toy-1.0.dist-info/RECORD": b"",
        **changed,
    }
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return output.getvalue()


def test_a_labelled_wheel_agrees_with_its_name_everywhere() -> None:
    name, content = label(packed(), "toy-1.0-1-py3-none-any.whl", "avx2")
    assert name == "toy-1.0+avx2-1-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(normalise(content, 1585958400))) as archive:
        assert archive.namelist() == [
            "toy-1.0+avx2.data/purelib/more.py",
            "toy/__init__.py",
            "toy-1.0+avx2.dist-info/METADATA",
            "toy-1.0+avx2.dist-info/RECORD",
        ]
        metadata = archive.read("toy-1.0+avx2.dist-info/METADATA")
    assert metadata == b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0+avx2\n\nVersion: 1.0\n"


@pytest.mark.parametrize(
    ("wheel", "message"),
    [
        (
            packed(**{"toy-1.0.dist-info/METADATA": b"Name: toy\n\nVersion: 1.0\n"}),
            "exactly one line with the version",
        ),
        (packed(**{"other-1.0.dist-info/RECORD": b""}), "exactly one .dist-info folder"),
    ],
)
def test_a_wheel_whose_version_is_not_clear_is_not_labelled(wheel: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label(wheel, "toy-1.0-py3-none-any.whl", "1")


def test_every_option_that_names_a_wheel_is_one_that_the_recipe_has() -> None:
    for name in Catalogue(ROOT).names():
        for option in Catalogue(ROOT).describe(name).options:
            if not isinstance(option.in_name, bool):
                assert option.default not in option.in_name
