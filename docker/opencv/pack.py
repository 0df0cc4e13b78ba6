"""Makes a wheel of a staged folder and a folder of licences. Run by the target interpreter, whose tags it uses."""

import base64
import hashlib
import os
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Mapping

METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: OpenCV {version} for Python, compiled from its pinned sources
Home-page: https://opencv.org/
License: {license}
Requires-Python: >={python},<{next_python}
Requires-Dist: numpy>={numpy},<2
{external}
OpenCV {version} with the modules `{modules}`, for processors with {cpu}{gpu}.
{windows}. Cameras are read through V4L2{video}.{gstreamer}
The licences of all its parts are in the folder `licenses` beside this file.
"""

WINDOWS = {
    "none": "It has no window toolkit: `cv2.imshow` raises an error",
    "gtk": "Windows are shown by the GTK 3 of the system, which `import cv2` needs",
    "qt": "Windows are shown by Qt 5, whose libraries are in the wheel under the LGPL",
}

GSTREAMER = " Video is also read and written by the GStreamer of the system, which `import cv2` needs."

WHEEL = """\
Wheel-Version: 1.0
Generator: kiln
Root-Is-Purelib: false
Tag: {tag}
"""


def distribution(contrib: bool, headless: bool) -> str:
    """The usual name of a wheel with this content, which this wheel replaces."""
    return "opencv" + "-contrib" * contrib + "-python" + "-headless" * headless


def gpu(environment: Mapping[str, str]) -> str:
    """The part of a wheel's description about GPUs; empty for a wheel without CUDA."""
    if "KILN_CUDA" not in environment:
        return ""
    return (
        ", and for NVIDIA's GPUs by CUDA {KILN_CUDA}: machine code for the compute capabilities {KILN_CUDA_ARCH}, "
        "PTX of {KILN_CUDA_PTX} for newer ones".format(**environment)
    )


def licence(ipp: bool, ffmpeg: bool, qt: bool) -> str:
    """The licences of OpenCV and of the large parts that come with it, as an SPDX expression."""
    intel, lgpl = " AND LicenseRef-Intel-Simplified-Software-License", " AND LGPL-3.0-or-later"
    return "BSD-3-Clause" + intel * ipp + lgpl * ffmpeg + " AND LGPL-3.0-only" * qt


def required() -> "list[str]":
    """The libraries that the wheel requires of the system."""
    path = Path("/kiln/build/required.txt")
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def tag() -> str:
    """The interpreter's own tag, for example cp37-cp37m-linux_x86_64."""
    interpreter = "cp{}{}".format(*sys.version_info[:2])
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return "-".join((interpreter, interpreter + getattr(sys, "abiflags", ""), platform))


def metadata(name: str, version: str, numpy: str) -> str:
    ffmpeg, gui = Path("/kiln/build/ffmpeg").is_dir(), os.environ["KILN_OPT_GUI"]
    major, minor = sys.version_info[:2]
    return METADATA.format(
        name=name,
        version=version,
        license=licence(os.environ["KILN_OPT_IPP"] == "1", ffmpeg, gui == "qt"),
        external="".join("Requires-External: {}\n".format(each) for each in required()),
        windows=WINDOWS[gui],
        python="{}.{}".format(major, minor),
        next_python="{}.{}".format(major, minor + 1),
        numpy=numpy,
        modules=os.environ["KILN_OPT_MODULES"],
        cpu=os.environ["KILN_CPU_FEATURES"].replace("baseline", "x86-64 (SSE2)"),
        gpu=gpu(os.environ),
        video=", video files by FFmpeg" if ffmpeg else ", and there is no FFmpeg",
        gstreamer=GSTREAMER if os.environ["KILN_OPT_GSTREAMER"] == "1" else "",
    )


def write(wheel: Path, files: dict) -> None:
    """Write the archive with its RECORD. It is not compressed or sorted: normalise.py does that after the repair."""
    record = wheel.name.split("-")
    record_name = "{}-{}.dist-info/RECORD".format(*record[:2])
    rows = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append("{},sha256={},{}\n".format(name, digest, len(content)))
        rows.append(record_name + ",,\n")
        archive.writestr(zipfile.ZipInfo(record_name), "".join(rows))


def main(stage: Path, licences: Path, out: Path) -> None:
    import numpy

    name = distribution(os.environ["KILN_OPT_CONTRIB"] == "1", os.environ["KILN_OPT_MODULES"] == "headless")
    version = os.environ["KILN_VERSION"]
    root = "{}-{}".format(name.replace("-", "_"), version)
    info = root + ".dist-info/"
    files = {
        path.relative_to(stage).as_posix(): path.read_bytes()
        for path in sorted(stage.rglob("*"))
        if path.is_file()
    }
    files.update({info + "licenses/" + path.name: path.read_bytes() for path in sorted(licences.iterdir())})
    files[info + "METADATA"] = metadata(name, version, numpy.__version__).encode()
    files[info + "WHEEL"] = WHEEL.format(tag=tag()).encode()
    files[info + "top_level.txt"] = b"cv2\n"
    wheel = out / "{}-{}.whl".format(root, tag())
    write(wheel, files)
    print("{}: {} files, {} bytes".format(wheel.name, len(files) + 1, wheel.stat().st_size))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
