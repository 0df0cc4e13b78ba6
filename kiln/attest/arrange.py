"""The machine that a rebuild is made to see: how each variation is brought about here, or why it is not possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiln.engine import Conditions, Mount

# Debian's package of what a variation needs.
PACKAGES = {"locale": "locales-all", "clock": "libfaketime", "order": "disorderfs"}
YEARS = 2

OTHER_UMASK = 0o002
USER = 4321
_TURKISH = "tr_TR.UTF-8"
_LOCALE = {"LANG": _TURKISH, "LC_ALL": _TURKISH, "LANGUAGE": "tr"}
_ZONE = {"TZ": "XYZ-14"}
_NOISE = {
    "CFLAGS": "-O0 -DNOISE", "CXXFLAGS": "-O0 -DNOISE", "CPPFLAGS": "-DNOISE", "LDFLAGS": "-Wl,--build-id=sha1",
    "MAKEFLAGS": "-k", "CC": "false", "CXX": "false", "PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "1", "NOISE": "1",
}  # fmt: skip
# The variables around Kiln that a variation sets: a record names these and no others.
VARIABLES = (*_LOCALE, *_ZONE, *_NOISE)
_FAKETIME = [
    f"/usr/{folder}/libfaketimeMT.so.1"
    for folder in ("lib/x86_64-linux-gnu/faketime", "lib64/faketime", "lib/faketime")
]
_CLOCK = "/kiln/clock.so"


@dataclass(frozen=True)
class Arrangement:
    """How a rebuild runs: `environment` and `umask` are Kiln's own there, `conditions` those of its containers.

    `missing` says of each variation that was chosen and is not possible why, and what to do.
    """

    chosen: tuple[str, ...]
    environment: Mapping[str, str]
    umask: int
    jobs: int
    conditions: Conditions
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def varied(self) -> tuple[str, ...]:
        return tuple(name for name in self.chosen if name not in self.missing)


def usual_umask() -> int:
    """The umask of this process."""
    umask = os.umask(OTHER_UMASK)
    os.umask(umask)
    return umask


def packages(chosen: Collection[str]) -> list[str]:
    """The Debian packages that are missing here for the variations `chosen` and for the report."""
    absent = {
        "locale": not _speaks_turkish(),
        "clock": not _faketime(),
        "order": not shutil.which("disorderfs"),
    }
    found = [PACKAGES[name] for name, missing in absent.items() if missing and name in chosen]
    return found + ([] if shutil.which("diffoscope") else ["diffoscope-minimal"])


def arrange(
    chosen: tuple[str, ...], environment: Mapping[str, str], jobs: int, any_user: bool, folder: Path
) -> Arrangement:
    """The arrangement of the variations `chosen` on this machine; `folder` is for files that containers are given.

    `environment` already names the engine of the rebuild, in whose containers Kiln may be `any_user` or not. What takes a
    mount on this machine, `order`, is not here.
    """
    missing: dict[str, str] = {}
    prefix: list[str] = []
    inside: dict[str, str] = {}
    mounts: list[Mount] = []
    around = dict(environment)
    if "locale" in chosen and not _speaks_turkish():
        missing["locale"] = f"the locale {_TURKISH} is missing: install {PACKAGES['locale']}"
    for name, more in (("locale", _LOCALE), ("timezone", _ZONE), ("environment", _NOISE)):
        if name in chosen and name not in missing:
            around |= more
    if "environment" in chosen:
        inside["NOISE"] = "1"
    if "user" in chosen and not any_user:
        missing["user"] = "a build without root runs as its own user: run as root"
    processors = sorted(os.sched_getaffinity(0))
    if "processors" in chosen:
        if len(processors) > 1:
            prefix += ["taskset", "--cpu-list", ",".join(map(str, processors[1:]))]
        else:
            missing["processors"] = "there is one processor: use a machine with two"
    if "kernel" in chosen:
        prefix += ["setarch", "--uname-2.6"]
    if "clock" in chosen:
        library = _faketime()
        if library:
            mounts += _clock(library, folder)
            # The times of files stay as they are: build tools compare them.
            inside |= {"NO_FAKE_STAT": "1", "DONT_FAKE_MONOTONIC": "1"}
        else:
            missing["clock"] = f"libfaketime is missing: install {PACKAGES['clock']}"
    conditions = Conditions(
        hostname="another-machine" if "hostname" in chosen else "",
        user=USER if "user" in chosen and "user" not in missing else None,
        prefix=tuple(prefix),
        environment=inside,
        mounts=tuple(mounts),
    )
    return Arrangement(
        chosen,
        around,
        OTHER_UMASK if "umask" in chosen else usual_umask(),
        jobs + 1 if "jobs" in chosen else jobs,
        conditions,
        missing,
    )


def _clock(library: Path, folder: Path) -> list[Mount]:
    """libfaketime for every program of a container, also for those that are started without variables."""
    texts = {"faketimerc": f"+{YEARS}y\n", "ld.so.preload": f"{_CLOCK}\n"}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(0o644)
    return [
        Mount(library.resolve(), _CLOCK),
        *(Mount(folder / name, f"/etc/{name}") for name in texts),
    ]


def _speaks_turkish() -> bool:
    if not shutil.which("locale"):
        return False
    done = subprocess.run(["locale", "--all-locales"], capture_output=True)
    return _TURKISH.lower().replace("-", "").encode() in done.stdout.lower().split()


def _faketime() -> Path | None:
    return next((path for path in map(Path, _FAKETIME) if path.exists()), None)
