"""What a wheel's files say of it: libraries, symbol versions, C++ ABI, machine code. Needs auditwheel and pyelftools.

inspect_wheel.py WHEEL FACTS: writes the facts as JSON. Nothing of the wheel is run.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

from auditwheel.architecture import Architecture
from auditwheel.elfutils import elf_file_filter, elf_find_versioned_symbols, elf_read_dt_needed
from auditwheel.libc import Libc
from auditwheel.policy import WheelPolicies
from packaging.utils import parse_wheel_filename

# A mnemonic decides where it can: of AVX's own instructions on whole registers these alone begin like AVX2's.
INSTRUCTIONS = {
    "ymm": re.compile(rb"%ymm"),
    "zmm": re.compile(rb"%zmm"),
    "fma": re.compile(rb"\tvfn?m(add|sub)"),
    "avx2": re.compile(
        rb"\t(vp(?!ermilp|erm2f128|test)|vbroadcasti128|vinserti128|vextracti128|vgather)\S*\s.*%ymm"
    ),
    # What compilers move halves of vectors by as soon as AVX2 is there, and by another instruction before.
    "i128": re.compile(rb"\tv(inserti|extracti)128\s"),
}
# The libraries of a toolkit that are opened by name while the program runs, not by the loader.
OPENED = re.compile(
    rb"\b(lib(?:cudart|cudnn|cublas|cufft|curand|cusolver|cusparse|nccl|cuda)\.so\.[0-9.]*[0-9])\0"
)


def version(text):
    return tuple(int(part) for part in re.findall(r"\d+", text))


def promised(tags):
    """The most demanding manylinux policy among the wheel's tags, or None where they promise none."""
    policies = WheelPolicies(libc=Libc.GLIBC, arch=Architecture.x86_64)
    named = [
        policy
        for policy in policies
        if policy.name != policies.linux.name
        for tag in tags
        if tag.platform in (policy.name, *policy.aliases)
    ]
    return max(named, default=None)


def symbol_versions(elf):
    """The versions that a library asks of others, by family: {"GLIBC": ["2.14", ...]}."""
    found = defaultdict(set)
    for _, symbol in elf_find_versioned_symbols(elf):
        family, _, number = symbol.partition("_")
        if number[:1].isdigit():
            found[family].add(number)
    return {family: sorted(numbers, key=version) for family, numbers in sorted(found.items())}


def too_new(versions, policy):
    """What is asked of the system that the policy's oldest system does not have."""
    if policy is None:
        return []
    return [
        "{}_{}".format(family, number)
        for family, numbers in versions.items()
        if family in policy.symbol_versions
        for number in numbers
        if number not in policy.symbol_versions[family]
    ]


def cxx_names(elf):
    """How many C++ names that are not the standard library's the library has, and how many use the new ABI's types."""
    section = elf.get_section_by_name(".dynstr")
    names = section.data().split(b"\0") if section else ()
    own = [
        name
        for name in names
        if name.startswith(b"_Z") and not re.match(rb"_Z(GTt|T[A-Z])?(NK?)?S[a-z]", name)
    ]
    return len(own), sum(b"NSt7__cxx11" in name or b"B5cxx11" in name for name in own)


def instructions(path):
    """How many instructions of each kind a library has; one of 700 MB takes half a minute."""
    counts = Counter(dict.fromkeys(INSTRUCTIONS, 0))
    disassemble = ["objdump", "--disassemble", "--no-show-raw-insn", str(path)]
    choose = ["grep", "-F", "-e", "%ymm", "-e", "%zmm", "-e", "vfm", "-e", "vfnm"]
    program = subprocess.Popen(disassemble, stdout=subprocess.PIPE)
    with program, subprocess.Popen(choose, stdin=program.stdout, stdout=subprocess.PIPE) as chosen:
        program.stdout.close()
        for line in chosen.stdout:
            counts.update(name for name, pattern in INSTRUCTIONS.items() if pattern.search(line))
    if program.returncode:
        raise SystemExit("kiln-error: objdump failed on {}".format(path))
    return dict(counts)


def library(path, elf, policy, disassembler):
    print(path.name, flush=True)
    versions = symbol_versions(elf)
    names, new = cxx_names(elf)
    return {
        "size": path.stat().st_size,
        "needs": elf_read_dt_needed(path) if elf.get_section_by_name(".dynamic") else [],
        "newest": {family: numbers[-1] for family, numbers in versions.items()},
        "too_new": too_new(versions, policy),
        "cxx_names": names,
        "cxx11_names": new,
        "opens": sorted({name.decode() for name in OPENED.findall(path.read_bytes())}),
        "instructions": instructions(path) if disassembler else None,
    }


def disassembler():
    if not shutil.which("objdump"):
        return None
    return subprocess.check_output(["objdump", "--version"]).decode().splitlines()[0]


def facts(wheel):
    _, _, _, tags = parse_wheel_filename(wheel.name)
    policy, tool = promised(tags), disassembler()
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(str(wheel)) as archive:
            archive.extractall(folder)
            size = sum(entry.file_size for entry in archive.infolist())
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        libraries = {
            path.relative_to(folder).as_posix(): library(path, elf, policy, tool)
            for path, elf in elf_file_filter(files)
        }
    inside = {name.rpartition("/")[2] for name in libraries}
    outside = defaultdict(list)
    for name, each in libraries.items():
        for needed in each["needs"]:
            if policy and needed not in inside and needed not in policy.whitelist:
                outside[needed].append(name)
    return {
        "wheel": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "size": wheel.stat().st_size,
        "unpacked": size,
        "policy": policy and policy.name,
        "disassembler": tool,
        "libraries": libraries,
        "outside": dict(outside),
    }


def main(wheel, target):
    found = facts(Path(wheel))
    Path(target).write_text(json.dumps(found, indent=1, sort_keys=True))
    print("{}: {} libraries, {}".format(found["wheel"], len(found["libraries"]), found["disassembler"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
