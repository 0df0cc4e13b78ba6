"""The step that puts a CUDA toolkit together, run on stand-ins for NVIDIA's files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import cuda_installer
from tests.integration.conftest import House
from tests.repository import ROOT

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
    recipe = "recipes/toy/1.0/recipe.yaml"
    house.replace(recipe, "device: [cpu]", "device: [cpu, cuda-10.0]")
    house.replace(recipe, "sources:\n", sources)
    house.replace(
        recipe, "steps:\n", "steps:\n  - {name: cuda, run: common/cuda.sh, when: {device: cuda-10.0}}\n"
    )
    folder = house.root / "recipes/cuda/10.0"
    folder.mkdir(parents=True)
    (folder / "toolkit.yaml").write_text(TOOLKIT, encoding="utf-8")
    licences = (ROOT / "recipes/cuda/licences.yaml").read_bytes()
    (house.root / "recipes/cuda/licences.yaml").write_bytes(licences)
