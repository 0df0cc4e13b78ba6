"""Lists the libraries that are linked into the Python module, from the linker's own map, for the SBOM."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "common"))
from packages import newer_than_glibc, package

# The libraries in OpenCV's own tree: by the name of their archive a name, a licence, and where their version is written.
# A version is what the groups of the last pattern match, with dots between them.
BUNDLED = {
    "zlib": ("zlib", "Zlib", "zlib/zlib.h", r'define ZLIB_VERSION "([^"]+)"'),
    "libjpeg-turbo": (
        "libjpeg-turbo",
        "IJG AND BSD-3-Clause AND Zlib",
        "libjpeg-turbo/CMakeLists.txt",
        r"set\(VERSION_MAJOR (\d+)\)\s*set\(VERSION_MINOR (\d+)\)\s*set\(VERSION_REVISION (\d+)\)",
    ),
    "libpng": ("libpng", "libpng-2.0", "libpng/png.h", r'define PNG_LIBPNG_VER_STRING "([^"]+)"'),
    "libtiff": ("libtiff", "libtiff", "libtiff/tiffvers.h", r"LIBTIFF, Version ([\d.]+)"),
    "libwebp": (
        "libwebp",
        "BSD-3-Clause",
        "libwebp/src/enc/vp8i_enc.h",
        r"define ENC_MAJ_VERSION (\d+)\s*#define ENC_MIN_VERSION (\d+)\s*#define ENC_REV_VERSION (\d+)",
    ),
    "libjasper": ("jasper", "JasPer-2.0", "libjasper/jasper/jas_config.h", r'define\s+JAS_VERSION "([^"]+)"'),
    "IlmImf": (
        "openexr",
        "BSD-3-Clause",
        "openexr/CMakeLists.txt",
        r'OPENEXR_VERSION_MAJOR "(\d+)"\)\s*set\(OPENEXR_VERSION_MINOR "(\d+)"\)\s*set\(OPENEXR_VERSION_PATCH "(\d+)"',
    ),
    "libprotobuf": (
        "protobuf",
        "BSD-3-Clause",
        "protobuf/src/google/protobuf/stubs/common.h",
        r"define GOOGLE_PROTOBUF_VERSION (\d)00(\d)00(\d)",
    ),
    "quirc": ("quirc", "ISC", "", ""),
    "ittnotify": ("ittnotify", "BSD-3-Clause OR GPL-2.0-only", "", ""),
}

# Archives of other sources, by the name of the archive.
SOURCES = {r"ipp\w*": "ipp_static", r"tbb": "tbb", r"vpx": "libvpx"}

# What FFmpeg's libraries, which are in the wheel as they are, took of static ones.
FFMPEG_MAPS = Path("/kiln/build/ffmpeg/maps")

# What a wheel for an older glibc is linked with.
GLIBC = "/kiln/build/glibc/"

MEMBER = re.compile(r"^(\S+\.a)\(([^)]+)\)", re.M)


def members(text: str) -> "dict[str, set[str]]":
    """The archives of which the linker took members, with these members, by a map of GNU ld."""
    found = {}
    section = text.partition("Archive member included")[2]
    # The next section has a title at the start of a line, and no bracket in it.
    section = re.split(r"\n(?=[A-Z][\w -]+\n)", section, maxsplit=1)[0]
    for archive, member in MEMBER.findall(section):
        found.setdefault(archive, set()).add(member)
    return found


def component(archive: str, tree: Path, parts: "list[str]") -> "dict[str, str] | None":
    """What an archive is; None for OpenCV's own modules and for Kiln's own. Raises ValueError for one that is not known."""
    name = re.sub(r"^lib|\.a$", "", archive.rpartition("/")[2])
    if re.fullmatch(r"opencv_\w+", name):
        return None
    how = "linked statically: the linker took members of {}".format(archive.rpartition("/")[2])
    for pattern, source in SOURCES.items():
        if re.fullmatch(pattern, name):
            (part,) = [each for each in parts if each.replace("-", "_") == source]
            return {"part": part, "how": how}
    if archive == GLIBC + "liblater.a":
        return newer_than_glibc()
    if archive.startswith(GLIBC):
        # Kiln's own, a few functions that replace those of a newer glibc.
        return None
    if archive.startswith("/"):
        return dict(package(archive), how=how)
    if name not in BUNDLED:
        raise ValueError("{} is linked and not known: add it to docker/opencv/linked.py".format(archive))
    title, license, file, pattern = BUNDLED[name]
    version = version_in((tree / "3rdparty" / file).read_text(errors="replace"), pattern) if file else ""
    return {"name": title, "version": version, "license": license, "part": "opencv", "how": how}


def version_in(text: str, pattern: str) -> str:
    """The version that a file states, or nothing where it has another form in this release."""
    found = re.search(pattern, text)
    return ".".join(found.groups()) if found else ""


def main(map_file: str, target: str) -> None:
    inputs = json.loads(Path("/kiln/build/parts.json").read_text(encoding="utf-8"))["parts"]
    names = [each["name"] for each in inputs]
    # OpenCV and, where its modules are compiled, contrib are the wheel itself.
    linked = [
        {"part": each, "how": "compiled into it"} for each in names if each in ("opencv", "opencv_contrib")
    ]
    maps = [Path(map_file), *sorted(FFMPEG_MAPS.glob("*.map"))]
    if len(maps) > 1:
        linked.append({"part": "ffmpeg", "how": "compiled into shared libraries, which are in the wheel"})
        bzip2 = dict(package("/usr/lib/x86_64-linux-gnu/libbz2.a"), how="its shared library is in the wheel")
        linked.append(bzip2)
    found = {}
    for archive in (each for file in maps for each in members(file.read_text(errors="replace"))):
        each = component(archive, Path("/kiln/trees/opencv"), names)
        if each:
            found.setdefault(each.get("name") or each["part"], each)
    linked += [found[name] for name in sorted(found)]
    # Data that its modules compile in.
    linked += [
        {"part": each["name"], "how": "data that is compiled into a module", "bound": "upper"}
        for each in inputs
        if each["file"].endswith(".i")
    ]
    Path(target).write_text(json.dumps(linked, indent=1) + "\n", encoding="utf-8")
    print("inside: " + ", ".join(each.get("name") or each["part"] for each in linked))


if __name__ == "__main__":
    main(*sys.argv[1:])
