"""Gives a wheel a version with a local part, by which an index distinguishes the variants of one product."""

import io
import os
import re
import sys
import zipfile
from pathlib import Path


def label(wheel: bytes, name: str, local: str) -> "tuple[str, bytes]":
    """The file name and content of the wheel `name` with `local` as the local part of its version.

    The file name, the folders `.dist-info` and `.data`, and the metadata then agree. RECORD keeps its content, because
    normalise.py, which comes next, writes it again. Raises ValueError if the parts of the wheel have several versions.
    """
    distribution, version, *tags = name[: -len(".whl")].split("-")
    labelled = version + ("." if "+" in version else "+") + local
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as source, zipfile.ZipFile(output, "w") as target:
        records = [each for each in source.namelist() if re.match(r"[^/]+\.dist-info/RECORD$", each)]
        if len(records) != 1 or not records[0].endswith("-{}.dist-info/RECORD".format(version)):
            raise ValueError(
                "{} does not have exactly one .dist-info folder of version {}".format(name, version)
            )
        old = records[0][: -len(".dist-info/RECORD")]
        new = old[: -len(version)] + labelled
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == old + ".dist-info/METADATA":
                content = _metadata(content, version, labelled)
            folder, slash, rest = entry.filename.partition("/")
            if folder in (old + ".dist-info", old + ".data"):
                entry.filename = new + folder[len(old) :] + slash + rest
            target.writestr(entry, content)
    return "-".join([distribution, labelled, *tags]) + ".whl", output.getvalue()


def _metadata(content: bytes, version: str, labelled: str) -> bytes:
    headers, blank, body = content.partition(b"\n\n")
    line = re.compile(rb"^Version: *" + re.escape(version.encode()) + rb"(\r?)$", re.M)
    headers, count = line.subn(b"Version: " + labelled.encode() + rb"\1", headers)
    if count != 1:
        raise ValueError("METADATA does not have exactly one line with the version {}".format(version))
    return headers + blank + body


def main(source: str, folder: str) -> None:
    wheel = Path(source)
    name, content = label(wheel.read_bytes(), wheel.name, os.environ["KILN_LOCAL_VERSION"])
    Path(folder, name).write_bytes(content)
    print("{} is now {}".format(wheel.name, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
