"""CUDA in a build: 11.8's own compiler and run time, and the older installers by stand-ins for NVIDIA's files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support import cuda_installer
from tests.support.house import House
from tests.support.repository import ROOT

RECIPE = "recipes/toy/recipe.yaml"
TOOLKIT = """\
version: "10.0"
release: 10.0.130
newest_gcc: 12
capabilities: ["3.5", "7.5"]
defaults: ["3.5", "7.5"]
driver: "410.48"
driver_ptx: "410.48"
"""


@pytest.mark.parametrize(
    ("installer", "library"),
    [(cuda_installer.old_installer, ""), (cuda_installer.new_installer, "lib64/libcublas.so.10")],
    ids=["up to 10.0", "since 10.1"],
)
def test_an_installer_is_unpacked_and_nothing_in_it_is_installed_but_the_toolkit(
    house: House, served: tuple[str, Path], installer: Callable[[], bytes], library: str
) -> None:
    files = {"cuda_10.0.130_410.48_linux": installer(), "cudnn-10.0-linux-x64-v7.tgz": cuda_installer.cudnn()}
    given(house, served, files)
    done = house.run("build", "toy", "--cuda", "--accept-cuda-eula", "--ending", "error")
    assert done.returncode == 1, done.stderr
    (log,) = (house.home / "builds").glob("*/build.log")
    assert "a kernel compiles with g++-12 for 3.5 7.5" in log.read_text()
    (toolkit,) = (house.home / "builds").glob("*/build/cuda")
    there = {str(path.relative_to(toolkit)) for path in toolkit.rglob("*") if path.is_file()}
    expected = {
        *(
            "bin/nvcc",
            "bin/ptxas",
            "compiler/cicc",
            "nvvm/libdevice/libdevice.10.bc",
            "lib64/stubs/libcuda.so",
        ),
        *("include/cuda.h", "include/cupti.h", "include/cudnn.h"),
        *("lib64/libcudart.so.10.0.130", "lib64/libcupti.so.10.0.130", "lib64/libcudnn.so.7"),
        *("licences/CUDA-EULA.txt", "licences/NVIDIA_SLA_cuDNN_Support.txt"),
        *([library] if library else []),
    }
    assert expected <= there
    assert not [name for name in there if "installer" in name or "NVIDIA-Linux" in name]


def test_an_installer_that_does_not_unpack_ends_the_build(house: House, served: tuple[str, Path]) -> None:
    given(house, served, {"cuda_10.0.130_410.48_linux": b"#!/bin/sh\nexit 3\n"})
    done = house.run("build", "toy", "--cuda", "--accept-cuda-eula")
    assert done.returncode == 1
    assert "failed in the step cuda" in done.stderr


# What compiles a kernel and links it, without the libraries of 1.4 GB that only OpenCV and TensorFlow call.
PARTS = {"nvidia-cuda-toolkit", "nvidia-cuda-nvcc-cu11", "nvidia-cuda-runtime-cu11"}
OPTIONS = """
  - {name: cuda_arch, type: str, default: "", help: "capabilities", when: {device: cuda-11.8}}
  - {name: cuda_libs, type: str, default: pypi, help: "pypi or bundled", when: {device: cuda-11.8}}
"""


def test_a_kernel_is_compiled_by_nvcc_and_its_wheel_is_imported_without_a_driver(house: House) -> None:
    given_11_8(house)
    asked = ("build", "toy", "--cuda", "--cuda-arch", "7.5,9.0", "--accept-cuda-eula")
    done = house.run(*asked)
    assert done.returncode == 0, done.stderr
    folder = house.root / "dist/toy/1.0"
    (log,) = folder.glob("*/build.log")
    said = log.read_text()
    assert "a kernel compiles with g++-11 for 7.5 9.0" in said
    assert set(re.findall(r"sm_\d+(?=\.cubin)", said)) == {"sm_75", "sm_90"} and "sm_90.ptx" in said
    assert "twice the same object" in said
    names, metadata, record = contents(folder)
    assert "Requires-Dist: nvidia-cuda-runtime-cu11>=11.8.89" in metadata
    assert json.loads(record)["native"] == ["7.5", "9.0"]
    assert not [name for name in names if "cudart" in name]

    shutil.rmtree(folder)
    done = house.run(*asked, "--cuda-libs", "bundled")
    assert done.returncode == 0, done.stderr
    names, metadata, _ = contents(folder)
    assert "Requires-Dist" not in metadata
    assert [name for name in names if "libcudart" in name]


def contents(folder: Path) -> tuple[list[str], str, str]:
    """The names in the one wheel below a folder, its METADATA, and what it says of its CUDA."""
    (wheel,) = folder.glob("*/*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata, record = (
            archive.read(next(name for name in names if name.endswith(end))).decode()
            for end in (".dist-info/METADATA", ".dist-info/cuda.json")
        )
    return names, metadata, record


def given_11_8(house: House) -> None:
    """The recipe `toy` as an extension with a kernel, for the CUDA 11.8 that this repository pins."""
    target = house.root / "recipes/cuda/11.8"
    target.mkdir(parents=True)
    for name in ("licences.yaml", "11.8/toolkit.yaml"):
        shutil.copy(ROOT / "recipes/cuda" / name, house.root / "recipes/cuda" / name)
    pinned = yaml.safe_load((ROOT / "recipes/cuda/11.8/base.yaml").read_text(encoding="utf-8"))
    parts = [source for source in pinned["sources"] if source["name"] in PARTS]
    (target / "base.yaml").write_text(yaml.safe_dump({"sources": parts}), encoding="utf-8")
    add_device(house, "cuda-11.8")
    house.replace(RECIPE, "shared/pytest.yaml]", "shared/pytest.yaml, cuda/11.8/base.yaml]")
    house.replace(RECIPE, "sources:\n", OPTIONS.lstrip("\n") + "sources:\n")
    shutil.copy(ROOT / "tests/projects/toy/compile_cuda.sh", house.root / "docker/opencv/compile.sh")
    shutil.copy(ROOT / "tests/projects/toy/test_toy_cuda.py", house.root / "smoke/toy/test_toy.py")


def given(house: House, served: tuple[str, Path], files: dict[str, bytes]) -> None:
    """The recipe `toy` with a device whose toolkit these files are."""
    address, folder = served
    sources = "sources:\n"
    for name, content in files.items():
        sha256 = hashlib.sha256(content).hexdigest()
        (folder / f"{sha256}-{name}").write_bytes(content)
        sources += (
            f"  - {{name: {name.partition('-')[0].partition('_')[0]}, when: {{device: cuda-10.0}}, filename: {name}, "
            f"origins: [{{url: '{address}/{sha256}-{name}', sha256: {sha256}}}]}}\n"
        )
    add_device(house, "cuda-10.0")
    house.replace(RECIPE, "sources:\n", sources)
    folder = house.root / "recipes/cuda/10.0"
    folder.mkdir(parents=True)
    (folder / "toolkit.yaml").write_text(TOOLKIT, encoding="utf-8")
    licences = (ROOT / "recipes/cuda/licences.yaml").read_bytes()
    (house.root / "recipes/cuda/licences.yaml").write_bytes(licences)


def add_device(house: House, device: str) -> None:
    """The recipe `toy` for this device too, whose toolkit the step `cuda` puts together."""
    house.replace(RECIPE, "device: [cpu]", f"device: [cpu, {device}]")
    step = f"  - {{name: cuda, run: cuda/toolkit.sh, when: {{device: {device}}}}}\n"
    house.replace(RECIPE, "steps:\n", f"steps:\n{step}")
