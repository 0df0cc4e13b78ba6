"""The GPUs of this machine, and how a wheel's code runs on them: natively, by PTX, or not at all."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.version import InvalidVersion, Version

from kiln.core import Finding, UsageError, parse_json
from kiln.recipe import cuda

# The value of --cuda-arch that means the GPUs of this machine.
NATIVE = "native"
# The file that docker/cuda/libs.py writes into a wheel's .dist-info folder.
RECORD = "cuda.json"
_QUERY = ("--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader")

# libcuda is called in a process of its own, because a broken driver may crash the process.
_PROBE = """\
import ctypes, json
lib = ctypes.CDLL("libcuda.so.1")
if lib.cuInit(0): raise SystemExit(1)
count, device, value, name = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
lib.cuDeviceGetCount(ctypes.byref(count))
rows = []
for number in range(count.value):
    lib.cuDeviceGet(ctypes.byref(device), number)
    lib.cuDeviceGetName(name, 256, device)
    pair = []
    for attribute in (75, 76):
        lib.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        pair.append(str(value.value))
    rows.append([name.value.decode(errors="replace"), ".".join(pair)])
print(json.dumps(rows))
"""


@dataclass(frozen=True)
class Gpu:
    """One GPU, and the version of its driver, such as 535.104.05; empty if it is not known."""

    name: str
    capability: str
    driver: str


@dataclass(frozen=True)
class Code:
    """What a wheel has code for: the CUDA version, the capabilities with machine code, and the one with PTX."""

    version: str
    native: tuple[str, ...]
    ptx: str


@dataclass(frozen=True)
class Verdict:
    """How a GPU runs a wheel's code, and why."""

    how: Literal["natively", "by PTX", "not"]
    why: str


def verdict(code: Code, kit: cuda.Toolkit, gpu: Gpu) -> Verdict:
    """Whether and how a GPU runs code.

    Machine code runs on GPUs of the same major capability and the same or a later minor one. PTX is compiled by the
    driver, at the first call, for any later capability. Both need a driver that is new enough.
    """
    here = Version(gpu.capability)
    fitting = [each for each in code.native if Version(each).major == here.major and Version(each) <= here]
    if fitting:
        if _older(gpu.driver, kit.driver):
            return Verdict(
                "not",
                f"the driver {gpu.driver} is older than {kit.driver}, which CUDA {kit.version} requires",
            )
        return Verdict("natively", f"machine code for {max(fitting, key=Version)}")
    if Version(code.ptx) > here:
        return Verdict(
            "not", f"its code is for {', '.join(code.native)} and later, this GPU is {gpu.capability}"
        )
    if _older(gpu.driver, kit.driver_ptx):
        return Verdict(
            "not",
            f"only its PTX fits, and the driver {gpu.driver} is older than {kit.driver_ptx}, which can compile it",
        )
    return Verdict("by PTX", f"PTX for {code.ptx}, compiled by the driver at the first call")


def native(gpus: Iterable[Gpu]) -> str:
    """The capabilities of GPUs as a list for --cuda-arch. Raises UsageError if there is no GPU."""
    found = sorted({each.capability for each in gpus}, key=Version)
    if not found:
        raise UsageError(
            f"--cuda-arch {NATIVE} means the GPUs of this machine, and none was found (see `./inv doctor --cuda`)",
            "give compute capabilities, such as 7.5,8.6",
        )
    return ",".join(found)


def code_of(wheel: Path) -> Code | None:
    """What a wheel has code for; None for a wheel without CUDA. Raises UsageError if it cannot be read."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(f".dist-info/{RECORD}")]
            if not names:
                return None
            value = parse_json(archive.read(names[0]))
            return Code(str(value["cuda"]), tuple(value["native"]), str(value["ptx"]))
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"not a wheel that Kiln built ({error})", "name a wheel under dist/", where=str(wheel)
        ) from error


def from_smi(text: str) -> tuple[Gpu, ...]:
    """The GPUs in the output of `nvidia-smi` for name, capability and driver; none for any other text."""
    rows = ([field.strip() for field in row] for row in csv.reader(io.StringIO(text)))
    return tuple(Gpu(*row) for row in rows if len(row) == 3 and re.fullmatch(r"\d+\.\d+", row[1]))


def from_libcuda(text: str, driver: str) -> tuple[Gpu, ...]:
    """The GPUs in the probe's output, pairs of name and capability."""
    try:
        return tuple(Gpu(name, capability, driver) for name, capability in parse_json(text))
    except ValueError:
        return ()


def kernel_driver(text: str) -> str:
    """The driver's version in /proc/driver/nvidia/version; empty if it is not there."""
    found = re.search(r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", text)
    return found[1] if found else ""


def present() -> tuple[Gpu, ...]:
    """The GPUs of this machine, from nvidia-smi, or else from the driver's own library."""
    program = shutil.which("nvidia-smi")
    found = from_smi(_output((program, *_QUERY))) if program else ()
    if found:
        return found
    version = Path("/proc/driver/nvidia/version")
    driver = kernel_driver(version.read_text(encoding="utf-8")) if version.exists() else ""
    return from_libcuda(_output((sys.executable, "-c", _PROBE)), driver)


def findings(root: Path, gpus: Sequence[Gpu], wheels: Iterable[Path]) -> list[Finding]:
    """What the machine has for CUDA, and how each wheel runs on each GPU; without wheels, each CUDA's default."""
    kits = [cuda.known(root, version) for version in cuda.versions(root)]
    codes = [(kit.version, Code(kit.version, kit.defaults, kit.defaults[-1])) for kit in kits]
    given = list(wheels)
    if given:
        codes = [(path.name, code) for path in given if (code := code_of(path))]
    rows = [_driver(gpus)]
    for number, gpu in enumerate(gpus):
        rows.append(Finding(f"gpu {number}", True, f"{gpu.name}, compute capability {gpu.capability}", ""))
        for name, code in codes:
            rows.append(_row(root, name if given else f"CUDA {name}", code, gpu))
    rows += [
        Finding(path.name, True, "has no code for GPUs and runs on the processor", "")
        for path in given
        if path.name not in dict(codes)
    ]
    if not gpus:
        rows += [Finding(name if given else f"CUDA {name}", True, text, "") for name, text in _without(codes)]
    return rows


def of_build(root: Path, gpus: Sequence[Gpu], code: Code) -> list[Finding]:
    """How a wheel with this code would run on the GPUs of this machine; a build itself needs none."""
    if not gpus:
        return [
            Finding(
                "gpu",
                True,
                "none with a driver: the wheel is built all the same, and its GPU's part not tested",
            )
        ]
    return [_row(root, f"gpu {number}", code, gpu) for number, gpu in enumerate(gpus)]


def _driver(gpus: Sequence[Gpu]) -> Finding:
    if not gpus:
        return Finding(
            "driver",
            False,
            "no driver with a GPU",
            "install NVIDIA's driver, if this machine has an NVIDIA GPU",
        )
    return Finding("driver", True, gpus[0].driver or "of an unknown version", "")


def _row(root: Path, name: str, code: Code, gpu: Gpu) -> Finding:
    found = verdict(code, cuda.known(root, code.version), gpu)
    cure = f"build with --cuda-arch {gpu.capability}, or update the driver" if found.how == "not" else ""
    return Finding(
        name,
        found.how != "not",
        f"{'does not run' if found.how == 'not' else f'runs {found.how}'}: {found.why}",
        cure,
    )


def _without(codes: Iterable[tuple[str, Code]]) -> Iterator[tuple[str, str]]:
    for name, code in codes:
        has = f"machine code for {', '.join(code.native)}, PTX for {code.ptx}"
        yield name, f"{has}; without a GPU it can be imported and runs on the processor"


def _older(driver: str, wanted: str) -> bool:
    """Whether a driver is known to be too old."""
    try:
        return Version(driver) < Version(wanted)
    except InvalidVersion:
        return False


def _output(command: Sequence[str]) -> str:
    """The standard output of a command; empty if it failed."""
    done = subprocess.run(
        list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout if done.returncode == 0 else ""
