from __future__ import annotations

import importlib.util
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.repository import ROOT


def script(toolchain: str) -> ModuleType:
    """The script of one toolchain: both have the same name."""
    spec = importlib.util.spec_from_file_location(
        f"{toolchain}_linked", ROOT / "docker" / toolchain / "linked.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OPENCV, TENSORFLOW = script("opencv"), script("tensorflow")


def test_the_linkers_own_map_says_of_which_archives_it_took_members(tmp_path: Path) -> None:
    """With the real linker: of three archives it needs a member of one, and of another through that."""
    for name, text in {
        "main": "int a(void); int f(void) { return a(); }",
        "a": "int b(void); int a(void) { return b(); }",
        "b": "int b(void) { return 1; }",
        "unused": "int unused(void) { return 2; }",
    }.items():
        (tmp_path / f"{name}.c").write_text(text)
        subprocess.run(["gcc", "-fPIC", "-c", f"{name}.c"], cwd=tmp_path, check=True)
        subprocess.run(["ar", "rc", f"lib{name}.a", f"{name}.o"], cwd=tmp_path, check=True)
    archives = ["liba.a", "libunused.a", "libb.a"]
    subprocess.run(
        ["gcc", "-shared", "main.o", *archives, "-o", "x.so", "-Wl,-Map=map"], cwd=tmp_path, check=True
    )
    found = OPENCV.members((tmp_path / "map").read_text())
    assert {name: members for name, members in found.items() if not name.startswith("/")} == {
        "liba.a": {"a.o"},
        "libb.a": {"b.o"},
    }


def test_a_bundled_library_has_its_version_from_the_tree_and_one_that_is_not_known_is_an_error(
    tmp_path: Path,
) -> None:
    header = tmp_path / "3rdparty/zlib/zlib.h"
    header.parent.mkdir(parents=True)
    header.write_text('#define ZLIB_VERSION "1.2.11"\n')
    found = OPENCV.component("3rdparty/lib/libzlib.a", tmp_path, ["opencv"])
    assert (found["name"], found["version"], found["license"]) == ("zlib", "1.2.11", "Zlib")
    assert OPENCV.component("lib/libopencv_core.a", tmp_path, ["opencv"]) is None
    found = OPENCV.component("/kiln/build/ipp/lib/intel64/libippcore.a", tmp_path, ["opencv", "ipp-static"])
    assert found["part"] == "ipp-static"
    with pytest.raises(ValueError, match=r"add it to docker/opencv/linked.py"):
        OPENCV.component("3rdparty/lib/libnew.a", tmp_path, ["opencv"])


def test_externals_are_found_by_objects_headers_and_files(tmp_path: Path) -> None:
    root = tmp_path / "bazel/execroot/org"
    outputs = root / "bazel-out/k8-opt/bin"
    objects = {
        "bazel-out/k8-opt/bin/pkg/_objs/own/own.pic.o": "own.pic.o: pkg/own.cc external/eigen/Eigen/Core",
        "bazel-out/k8-opt/bin/external/nsync/_objs/nsync/mu.pic.o": "mu.pic.o: external/nsync/mu.c",
        "bazel-out/k8-opt/bin/external/protoc/_objs/tool/tool.o": "tool.o: external/tool_headers/x.h",
    }
    for name, depends in objects.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).with_suffix(".d").write_text(depends)
    library = outputs / "pkg/lib.so"
    library.write_bytes(b"linked")
    own, inner, tool = objects
    (outputs / "pkg/lib.so-2.params").write_text(
        f"-o\nbazel-out/k8-opt/bin/pkg/lib.so\n-whole-archive\n{own}\n-no-whole-archive\n"
        "bazel-out/k8-opt/bin/external/nsync/libnsync.a\n-lm\n"
    )
    (outputs / "external/nsync/libnsync.a-2.params").write_text(f"rcsD\n{inner}\n")
    (outputs / "pkg/tool-2.params").write_text(tool)
    text = "a text that is longer than what any two files have in common by chance\n"
    packed = ("docs/guide.txt", "swig/LICENSE-GPL", "astor/PKG-INFO")
    for name in packed:
        (tmp_path / "bazel/external" / name).parent.mkdir(parents=True)
        (tmp_path / "bazel/external" / name).write_text(name + text)
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pkg/lib.so.1", b"linked")
        archive.writestr("pkg/other.so", b"from elsewhere")
        for name in packed:
            archive.write(tmp_path / "bazel/external" / name, "pkg/include/external/" + name)

    params, unknown = TENSORFLOW.libraries(wheel, outputs)
    assert ([each.name for each in params], unknown) == (["lib.so-2.params"], ["pkg/other.so"])
    found = TENSORFLOW.externals(TENSORFLOW.inputs(params[0], root), root)
    assert found == {"linked": {"nsync"}, "headers": {"eigen"}}
    found["files"] = TENSORFLOW.packed(wheel, tmp_path / "bazel/external", {"docs", "nsync", "swig", "astor"})
    assert found["files"] == {"docs"}
    parts = {each["part"]: each["bound"] for each in TENSORFLOW.listed(found, {"docs", "nsync", "eigen"})}
    assert parts == {"nsync": "upper", "eigen": "upper", "docs": "exact"}
