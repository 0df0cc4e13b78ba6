"""Makes the bytes of a wheel depend only on its content: one order, one time, two modes, one compression."""

import base64
import hashlib
import io
import os
import sys
import time
import zipfile
from pathlib import Path

LEVEL = 9
EARLIEST = 315532800  # 1980-01-01, the earliest time in a zip archive

# Beside METADATA, where every tool may put files of its own, and installers keep them.
STAMP = "kiln.json"


def normalise(wheel: bytes, epoch: int, stamp: str = "") -> bytes:
    """The same files with a new RECORD: sorted, the .dist-info folder last and RECORD at the very end.

    The text `stamp`, which describes the build that the wheel comes from, is added beside the metadata. Every entry has
    the time `epoch` (seconds, UTC), and mode 0755 if its owner may execute it, else 0644.
    Raises ValueError if `wheel` is not a zip archive, or does not have exactly one .dist-info/RECORD.
    """
    moment = time.gmtime(max(epoch, EARLIEST))[:6]
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as target:
        record, files = _read(wheel)
        if stamp:
            files[record[: -len("RECORD")] + STAMP] = (stamp.encode(), False)
        for name, (content, executable) in _ordered(record, files):
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on any machine: the modes are Unix modes
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            target.writestr(entry, content, compresslevel=LEVEL)
    return output.getvalue()


def _read(wheel):
    """The name of RECORD, and for each file its content and whether it is executable. Folders are left out."""
    files = {}
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as source:
            for entry in source.infolist():
                if entry.filename in files:
                    raise ValueError("the wheel contains {} twice".format(entry.filename))
                if not entry.is_dir():
                    files[entry.filename] = (source.read(entry), bool(entry.external_attr >> 16 & 0o100))
    except zipfile.BadZipFile as error:
        raise ValueError("the wheel is not a zip archive: {}".format(error)) from error
    records = [name for name in files if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        raise ValueError("a wheel has one .dist-info/RECORD, this archive has {}".format(len(records)))
    return records[0], files


def _ordered(record, files):
    info = record[: -len("RECORD")]
    del files[record]
    names = sorted(files, key=lambda name: (name.startswith(info), name))
    rows = ["{},{}\n".format(_quoted(name), _hashed(files[name][0])) for name in names]
    files[record] = ("".join([*rows, record + ",,\n"]).encode(), False)
    return [(name, files[name]) for name in [*names, record]]


def _hashed(content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return "sha256={},{}".format(digest, len(content))


def _quoted(name):
    """A name as in a CSV file, which RECORD is: quoted if it has a comma or a quote."""
    return '"{}"'.format(name.replace('"', '""')) if "," in name or '"' in name else name


def main(source, target):
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    content = normalise(Path(source).read_bytes(), epoch, os.environ.get("KILN_STAMP", ""))
    Path(target).write_bytes(content)
    print("{} {}".format(hashlib.sha256(content).hexdigest(), Path(target).name))


if __name__ == "__main__":
    main(*sys.argv[1:])
