"""Lists the externals that are inside the wheel, for the SBOM, from what Bazel has left of the build.

There are three ways in. An object of the external is on the command line of the linker that made a library of the wheel;
sections that nothing refers to may have been left out again, so this is an upper bound. A header of it was read when such
an object was compiled: an upper bound, too, since not every header gives code. A file of it is in the wheel as it is.
"""

import hashlib
import json
import os
import re
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "common"))
from packages import newer_than_glibc

EXTERNAL = re.compile(r"(?:^|[\s/\\=])external/([A-Za-z0-9_.-]+)/")
PARAMS = "-2.params"
# The wheel has these of every tool that had a part in the build, of which nothing else is inside.
LICENCE = re.compile(r"(?i)(un)?licen[cs]e|copying|copyright|notice|authors|pkg-info")

WAYS = (
    ("linked", "its objects were given to the linker", "upper"),
    ("headers", "its headers were read for objects that were linked", "upper"),
    ("files", "files of it are in the wheel as they are", "exact"),
)


def libraries(wheel: Path, outputs: Path) -> "tuple[list[Path], list[str]]":
    """The linker's parameter files of the libraries in a wheel, and the libraries that have none."""
    made = {}
    for params in sorted(outputs.rglob("*.so*" + PARAMS)):
        output = params.with_name(params.name[: -len(PARAMS)])
        if output.exists():
            made[_sha256(output.read_bytes())] = params
    found, unknown = [], []
    with zipfile.ZipFile(str(wheel)) as archive:
        for name in archive.namelist():
            if re.search(r"\.so(\.[\d.]+)?$", name):
                params = made.get(_sha256(archive.read(name)))
                if params is None:
                    unknown.append(name)
                elif params not in found:
                    found.append(params)
    return found, unknown


def inputs(params: Path, root: Path) -> "list[str]":
    """The objects on a linker's command line, those in archives by the archives' own command lines."""
    found = []
    for line in params.read_text(encoding="utf-8").splitlines():
        inner = root / (line + PARAMS)
        if re.search(r"\.(a|lo)$", line) and inner.exists() and inner != params:
            found += inputs(inner, root)
        elif re.search(r"\.(o|a|lo)$", line) and not line.startswith("-"):
            found.append(line)
    return found


def externals(objects: "list[str]", root: Path) -> "dict[str, set[str]]":
    """The externals of which objects were linked, and those of which headers were read for these or other objects."""
    linked, headers = set(), set()
    for each in objects:
        linked.update(EXTERNAL.findall(each))
        listed = root / re.sub(r"\.o$", ".d", each)
        if listed.suffix == ".d" and listed.exists():
            headers.update(EXTERNAL.findall(listed.read_text(encoding="utf-8", errors="replace")))
    return {"linked": linked, "headers": headers - linked}


def packed(wheel: Path, folder: Path, names: "set[str]") -> "set[str]":
    """Those of the externals in `folder` of which the wheel has a file, by content.

    Empty files prove nothing, and a licence is not what it is the licence of.
    """
    with zipfile.ZipFile(str(wheel)) as archive:
        there = {}
        for each in archive.infolist():
            if each.file_size > 64 and not LICENCE.match(each.filename.rpartition("/")[2]):
                there.setdefault((each.filename.rpartition("/")[2], each.file_size), []).append(each)
        found = set()
        for name in sorted(names):
            if (folder / name).is_dir() and any(
                _sha256(path.read_bytes()) in {_sha256(archive.read(each)) for each in there[key]}
                for path, key in _files(folder / name)
                if key in there
            ):
                found.add(name)
    return found


def _files(folder: Path):
    for parent, _, files in os.walk(str(folder)):
        for name in files:
            path = Path(parent, name)
            if path.is_file():
                yield path, (name, path.stat().st_size)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def listed(found: "dict[str, set[str]]", names: "set[str]") -> "list[dict[str, str]]":
    """The parts of the SBOM; what Bazel itself or the toolchain brings, such as local_config_python, is not one."""
    parts = []
    for name in sorted(set().union(*found.values()) & names):
        ways = [(text, bound) for way, text, bound in WAYS if name in found[way]]
        bound = "exact" if ("exact" in [each[1] for each in ways]) else "upper"
        parts.append({"part": name, "how": "; ".join(text for text, _ in ways), "bound": bound})
    return parts


def main(workspace: str, wheel: str, target: str) -> None:
    outputs = Path(workspace, "bazel-bin").resolve()
    root = outputs.parents[2]  # bazel-out/CONFIGURATION/bin
    externals_folder = root.parents[1] / "external"
    described = json.loads(Path("/kiln/build/parts.json").read_text(encoding="utf-8"))["parts"]
    names = {each["name"] for each in described}
    trees = {each["name"] for each in described if "tree" in each} | {Path(workspace).name}
    params, unknown = libraries(Path(wheel), outputs)
    if not params:
        sys.exit(
            "kiln-error: no library of the wheel is one that Bazel has linked: correct docker/tensorflow/linked.py"
        )
    objects = sorted({each for file in params for each in inputs(file, root)})
    found = externals(objects, root)
    found["files"] = packed(Path(wheel), externals_folder, names)
    own = [
        {"part": each, "how": "compiled into it"}
        for each in sorted(names & trees)
        if not (externals_folder / each).exists()
    ]
    parts = own + listed(found, names)
    if os.environ.get("KILN_GLIBC"):
        parts.append(newer_than_glibc())
    Path(target).write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    print(
        "inside, by {} objects of {} libraries: {}".format(
            len(objects), len(params), ", ".join(each.get("part") or each["name"] for each in parts)
        )
    )
    for name in unknown:
        print("not linked by Bazel: " + name)


if __name__ == "__main__":
    main(*sys.argv[1:])
