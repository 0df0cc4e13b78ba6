"""The process in which `./inv verify` builds a wheel again, with an environment and a umask of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiln import core
from kiln.build import Budget
from kiln.commands import build
from kiln.core import Console, Home, KilnError
from kiln.engine import Conditions, Mount
from kiln.plan import Request
from kiln.recipe import Catalogue
from kiln.sources import FetchSettings

_FAILURE = "failure.json"
_INTERRUPTED = 130


@dataclass(frozen=True)
class Rebuild:
    """What the process does: a wheel from a checkout, in a home that has all its sources, under these conditions."""

    request: Request
    checkout: Path
    home: Path
    jobs: int
    keep: bool
    budget: Budget | None
    conditions: Conditions


def start(rebuild: Rebuild, environment: Mapping[str, str], umask: int, folder: Path) -> None:
    """Run the process to its end; its files go into `folder`. What it raises is raised here."""
    spec, failure = folder / "rebuild.json", folder / _FAILURE
    failure.unlink(missing_ok=True)
    spec.write_text(json.dumps(asdict(rebuild), default=str), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "kiln.commands.verify_process", str(spec)],
        cwd=rebuild.checkout, env=dict(environment), umask=umask, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        status = process.wait()
    except KeyboardInterrupt:
        # It removes its container before it ends.
        process.terminate()
        process.wait()
        raise
    if status == _INTERRUPTED:
        raise KeyboardInterrupt
    if failure.exists():
        raise _raised(json.loads(failure.read_text(encoding="utf-8")))
    if status:
        raise KilnError(
            f"the process that builds again ended with the status {status}",
            "read what it printed above, then run the same command again, which goes on from its caches",
        )


def main(spec: Path) -> int:
    """The process; its exit status."""

    def stop(number: int, _: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        _build(_read(json.loads(spec.read_text(encoding="utf-8"))))
    except KilnError as error:
        said = {"kind": type(error).__name__, **{key: getattr(error, key) for key in _PARTS}}
        (spec.parent / _FAILURE).write_text(json.dumps(said), encoding="utf-8")
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _build(rebuild: Rebuild) -> None:
    settings = build.BuildSettings(
        # What stands between it and the disk opens files as the user of the container.
        home=Home.of({"KILN_HOME": str(rebuild.home)}, closed=False),
        environment=os.environ,
        sources=FetchSettings(offline=True, fallbacks=(), environment=os.environ),
        jobs=rebuild.jobs,
        keep=rebuild.keep,
        budget=rebuild.budget,
        conditions=rebuild.conditions,
    )
    build.compile_only(Catalogue(rebuild.checkout), rebuild.request, settings, Console())


_PARTS = ("what", "cure", "where", "detail", "quoted")


def _raised(said: Mapping[str, str]) -> KilnError:
    kind = getattr(core, said["kind"], KilnError)
    what, cure, *others = (said[key] for key in _PARTS)
    error: KilnError = kind(what, cure, **dict(zip(_PARTS[2:], others)))
    return error


def _read(value: dict[str, Any]) -> Rebuild:
    request, conditions, budget = value["request"], value["conditions"], value["budget"]
    given = {name: Path(path) for name, path in request["substitute"].items()}
    mounts = tuple(
        Mount(Path(each["source"]), each["target"], each["writable"]) for each in conditions["mounts"]
    )
    return Rebuild(
        request=Request(**{**request, "substitute": given}),
        checkout=Path(value["checkout"]),
        home=Path(value["home"]),
        jobs=value["jobs"],
        keep=value["keep"],
        budget=Budget(**budget) if budget else None,
        conditions=Conditions(**{**conditions, "prefix": tuple(conditions["prefix"]), "mounts": mounts}),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
