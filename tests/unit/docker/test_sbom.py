from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from kiln.archive import inspect_wheel
from kiln.attest import sbom_of
from tests.support import wheels
from tests.support.repository import ROOT

sys.path.insert(0, str(ROOT / "docker" / "common"))
from normalise import normalise
from sbom import add, bom

PARTS = [
    {
        "name": "toy", "file": "toy-1.0.tar.gz", "tree": "a" * 64, "license": "MIT",
    },
    {
        "name": "zlib", "file": "zlib-1.2.11.tar.gz", "sha256": "c" * 64, "version": "1.2.11",
        "purl": "pkg:github/madler/zlib@v1.2.11", "license": "a licence of its own",
    },
]  # fmt: skip
LINKED: list[dict[str, Any]] = [
    {"part": "zlib", "how": "its objects were given to the linker", "bound": "upper"},
    {
        "name": "libpng",
        "version": "1.6.37",
        "license": "libpng-2.0",
        "part": "toy",
        "how": "linked statically",
    },
]


def valid(text: str) -> dict[str, Any]:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    value: dict[str, Any] = json.loads(text)
    return value


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in component["properties"]}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return wheels.wheel(tmp_path)


def test_it_lists_what_was_linked_and_says_where_that_is_only_an_upper_bound(wheel: Path) -> None:
    value = valid(bom(wheel.read_bytes(), "MIT", PARTS, LINKED))
    assert value["metadata"]["component"]["purl"] == "pkg:pypi/toy@1.0"
    png, zlib = value["components"]
    assert (png["name"], png["version"], png["licenses"]) == (
        "libpng",
        "1.6.37",
        [{"expression": "libpng-2.0"}],
    )
    about = {
        "kiln:how": "linked statically",
        "kiln:bound": "exact",
        "kiln:part": "toy",
        "kiln:tree": "a" * 64,
    }
    assert properties(png) == about
    assert "hashes" not in png
    assert (zlib["version"], zlib["purl"]) == ("1.2.11", "pkg:github/madler/zlib@v1.2.11")
    assert zlib["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]
    assert zlib["licenses"] == [{"license": {"name": "a licence of its own"}}]
    assert properties(zlib)["kiln:bound"] == "upper"


def test_where_nothing_says_what_was_linked_all_inputs_are_an_upper_bound(wheel: Path) -> None:
    value = valid(bom(wheel.read_bytes(), "MIT", PARTS, None))
    assert [each["name"] for each in value["components"]] == ["toy", "zlib"]
    assert {properties(each)["kiln:bound"] for each in value["components"]} == {"upper"}


def test_what_auditwheel_has_grafted_is_in_it_and_auditwheels_own_file_stays(wheel: Path) -> None:
    grafted = {
        "bomFormat": "CycloneDX",
        "components": [
            {"bom-ref": "x", "type": "library", "name": "toy", "version": "1.0"},
            {"bom-ref": "y", "type": "library", "name": "libjpeg62-turbo", "version": "2.1.5"},
        ],
    }
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("toy-1.0.dist-info/sboms/auditwheel.cdx.json", json.dumps(grafted))
    content = wheel.read_bytes()
    text = bom(content, "MIT", PARTS, [])
    assert [each["name"] for each in valid(text)["components"]] == ["libjpeg62-turbo"]
    wheel.write_bytes(normalise(add(content, text), 0))
    inspect_wheel(wheel)
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if "/sboms/" in name}
    assert names == {f"toy-1.0.dist-info/sboms/{name}.cdx.json" for name in ("auditwheel", "kiln")}


def test_it_is_in_the_wheel_and_the_same_content_gives_the_same_bytes(wheel: Path) -> None:
    content = wheel.read_bytes()
    text = bom(content, "MIT", PARTS, LINKED)
    assert bom(content, "MIT", list(reversed(PARTS)), list(reversed(LINKED))) == text
    assert valid(bom(content, "MIT", PARTS, []))["serialNumber"] != valid(text)["serialNumber"]
    assert sbom_of(wheel) is None
    wheel.write_bytes(normalise(add(content, text), 0))
    inspect_wheel(wheel)  # RECORD knows it
    assert sbom_of(wheel) == text
