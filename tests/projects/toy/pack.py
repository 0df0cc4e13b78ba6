"""One compiled module as a wheel."""

import base64
import hashlib
import sys
import sysconfig
import zipfile
from pathlib import Path

module, out = map(Path, sys.argv[1:])
out.mkdir()
interpreter = "cp{}{}".format(*sys.version_info[:2])
tag = "-".join((interpreter, interpreter + sys.abiflags, sysconfig.get_platform().replace("-", "_")))
info = "toy-1.0.dist-info"
files = {
    module.name: module.read_bytes(),
    info + "/METADATA": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
    info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: false\nTag: {}\n".format(
        tag
    ).encode(),
}
rows = [
    "{},sha256={},{}".format(
        name, base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode(), len(content)
    )
    for name, content in files.items()
]
files[info + "/RECORD"] = "\n".join([*rows, info + "/RECORD,,", ""]).encode()
with zipfile.ZipFile(str(out / "toy-1.0-{}.whl".format(tag)), "w") as archive:
    for name, content in files.items():
        archive.writestr(name, content)
