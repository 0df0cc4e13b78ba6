"""A small archive of Debian's form in a folder, signed by a key that the test makes."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.archive import debs

DATE = "Sat, 11 Jul 2026 10:16:37 UTC"
# The time at which a key is made that is good for a day.
LONG_AGO = "20200101T000000"
INDEX = "main/binary-amd64/Packages"


@dataclass(frozen=True)
class Key:
    """A key for signatures, and the keyring that trusts it; one that has expired signs at the time when it was good."""

    home: Path
    keyring: Path
    expired: bool

    def sign(self, release: str) -> bytes:
        """The text as an InRelease."""
        return _gpg(self.home, self.expired, "--clearsign", "--output", "-", text=release)


@contextlib.contextmanager
def key(expired: bool = False) -> Iterator[Key]:
    """A new key. GnuPG's agent has its socket in the folder: the path has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="kiln-key-", dir="/tmp"))
    try:
        life = "1d" if expired else "never"
        _gpg(
            folder,
            expired,
            "--passphrase",
            "",
            "--quick-gen-key",
            "archive@kiln.invalid",
            "ed25519",
            "sign",
            life,
        )
        keyring = folder / "archive.gpg"
        keyring.write_bytes(_gpg(folder, expired, "--export"))
        yield Key(folder, keyring, expired)
    finally:
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def write(folder: Path, suite: str, packages: Mapping[str, Path], key: Key, **fields: str) -> Path:
    """Put a suite with some packages, by their names, into an archive; `fields` are further ones of its Release.

    Returns the folder of the suite. An underscore in a field's name stands for a hyphen.
    """
    rows = []
    for name, package in packages.items():
        place = folder / "pool/main" / name[0] / name / package.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package, place)
        data = place.read_bytes()
        rows.append(
            f"{debs.control(place)}\nFilename: {place.relative_to(folder)}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n"
        )
    place = folder / "dists" / suite
    (place / INDEX).parent.mkdir(parents=True)
    (place / INDEX).write_text("".join(rows), encoding="utf-8")
    data = (place / INDEX).read_bytes()
    head = {
        "Origin": "Debian", "Suite": suite, "Codename": suite, "Date": DATE, "Architectures": "all amd64",
        "Components": "main", **{name.replace("_", "-"): value for name, value in fields.items()},
    }  # fmt: skip
    release = "".join(f"{name}: {value}\n" for name, value in head.items())
    release += f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} {INDEX}\n"
    (place / "InRelease").write_bytes(key.sign(release))
    return place


def _gpg(home: Path, long_ago: bool, *arguments: str, text: str = "") -> bytes:
    clock = ["--faked-system-time", LONG_AGO] if long_ago else []
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-tty", *clock, *arguments]
    return subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
