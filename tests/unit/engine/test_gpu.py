from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.errors import UsageError
from kiln.engine import gpu
from kiln.engine.gpu import Code, Gpu
from kiln.recipe import cuda
from tests.support.repository import ROOT

KIT = cuda.known(ROOT, "11.8")
CODE = Code("11.8", ("6.1", "7.5", "8.0", "8.6"), "8.6")
SMI = """\
NVIDIA GeForce RTX 3090, 8.6, 535.104.05
Tesla T4, 7.5, 535.104.05
"""
# A driver of 2019 does not know the query, a machine without a driver has only the program.
REFUSALS = (
    'Field "compute_cap" is not a valid field to query.\n',
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
    "No devices were found\n",
    "",
)
PROC = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  418.87.00  Thu Aug  8 15:35:46 CDT 2019
GCC version:  gcc version 7.4.0 (Ubuntu 7.4.0-1ubuntu1~18.04.1)
"""
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.104.05  Release Build  (root@here)\n"


def wheel(folder: Path, about: object | None) -> Path:
    path = folder / "cv-4.3.0+cu118-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cv-4.3.0+cu118.dist-info/METADATA", "Name: cv\n")
        if about is not None:
            archive.writestr("cv-4.3.0+cu118.dist-info/cuda.json", json.dumps(about))
    return path


@pytest.mark.parametrize(
    ("capability", "driver", "how"),
    [
        ("8.6", "535.104.05", "natively"),
        ("8.9", "535.104.05", "natively"),  # Ada runs Ampere's machine code
        ("8.7", "450.80.02", "natively"),
        ("7.5", "450.80.02", "natively"),
        ("7.5", "418.87.00", "not"),  # a driver of CUDA 10
        ("9.0", "535.104.05", "by PTX"),  # Hopper does not run Ampere's
        ("12.0", "570.10", "by PTX"),
        ("9.0", "510.47.03", "not"),  # too old to compile this PTX
        ("7.0", "535.104.05", "not"),  # Volta runs neither Pascal's machine code nor Ampere's PTX
        ("6.0", "535.104.05", "not"),  # machine code for 6.1 is not for 6.0
        ("3.5", "470.10", "not"),
        ("8.6", "", "natively"),  # a driver that does not tell its version is not held to be too old
    ],
)
def test_how_a_gpu_runs_a_wheels_code(capability: str, driver: str, how: str) -> None:
    assert gpu.verdict(CODE, KIT, Gpu("a GPU", capability, driver)).how == how


@given(
    st.sampled_from(KIT.capabilities), st.lists(st.sampled_from(KIT.capabilities), min_size=1, unique=True)
)
def test_a_gpu_that_a_wheel_was_made_for_runs_it_natively(capability: str, others: list[str]) -> None:
    found = cuda.architectures(KIT, ",".join([capability, *others]))
    code = Code("11.8", found.native, found.ptx)
    assert gpu.verdict(code, KIT, Gpu("a GPU", capability, "550.10")).how == "natively"


def test_gpus_are_read_from_nvidia_smi() -> None:
    assert gpu.from_smi(SMI) == (
        Gpu("NVIDIA GeForce RTX 3090", "8.6", "535.104.05"),
        Gpu("Tesla T4", "7.5", "535.104.05"),
    )


@pytest.mark.parametrize("text", REFUSALS)
def test_what_is_no_list_of_gpus_gives_none(text: str) -> None:
    assert gpu.from_smi(text) == ()
    assert gpu.from_libcuda(text, "") == ()


def test_gpus_are_read_from_the_drivers_library() -> None:
    assert gpu.from_libcuda('[["Tesla K40c", "3.5"]]', "418.87.00") == (
        Gpu("Tesla K40c", "3.5", "418.87.00"),
    )


@pytest.mark.parametrize(("text", "version"), [(PROC, "418.87.00"), (OPEN, "535.104.05"), ("", "")])
def test_the_kernels_driver_is_read(text: str, version: str) -> None:
    assert gpu.kernel_driver(text) == version


def test_an_old_nvidia_smi_is_one_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Field \"compute_cap\" is not a valid field to query.'\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has a driver")
    assert gpu.present() == ()


def test_the_program_is_asked_for_name_capability_and_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\n[ "$*" = "--query-gpu=name,compute_cap,driver_version --format=csv,noheader" ] || exit 2\n'
        "echo 'Tesla T4, 7.5, 535.104.05'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert gpu.present() == (Gpu("Tesla T4", "7.5", "535.104.05"),)


def test_native_is_the_capabilities_of_the_gpus_that_are_here() -> None:
    card = Gpu("a GPU", "10.0", "570.10")
    assert gpu.native([card, Gpu("another", "8.6", "570.10"), card]) == "8.6,10.0"
    with pytest.raises(UsageError, match="none was found"):
        gpu.native([])


def test_a_wheel_tells_what_it_has_code_for(tmp_path: Path) -> None:
    assert gpu.code_of(wheel(tmp_path, {"cuda": "11.8", "native": ["7.5"], "ptx": "7.5"})) == Code(
        "11.8", ("7.5",), "7.5"
    )
    assert gpu.code_of(wheel(tmp_path, None)) is None


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.whl", wheel(tmp_path, ["no", "mapping"])):
        with pytest.raises(UsageError, match="not a wheel that Kiln built"):
            gpu.code_of(path)


def test_how_each_gpu_of_a_machine_runs_a_wheel_is_shown(tmp_path: Path) -> None:
    path = wheel(tmp_path, {"cuda": "11.8", "native": ["7.5"], "ptx": "7.5"})
    gpus = [
        Gpu("Tesla T4", "7.5", "535.104.05"),
        Gpu("H100", "9.0", "535.104.05"),
        Gpu("P4", "6.1", "535.104.05"),
    ]
    found = gpu.findings(ROOT, gpus, [path])
    assert [(row.what, row.found.partition(":")[0]) for row in found if row.what == path.name] == [
        (path.name, "runs natively"), (path.name, "runs by PTX"), (path.name, "does not run"),
    ]  # fmt: skip
    (refused,) = (row for row in found if not row.good)
    assert "--cuda-arch 6.1" in refused.cure


def test_without_a_gpu_a_wheel_is_shown_to_run_on_the_processor(tmp_path: Path) -> None:
    rows = gpu.findings(ROOT, [], [])
    assert not rows[0].good and rows[0].what == "driver"
    assert any("runs on the processor" in row.found for row in rows if row.what == "CUDA 11.8")
    plain = gpu.findings(ROOT, [], [wheel(tmp_path, None)])
    assert "no code for GPUs" in plain[-1].found
