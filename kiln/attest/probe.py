"""What a container sees of its machine: the proof that a variation reached it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.core import EngineError
from kiln.engine import Mount, Run

if TYPE_CHECKING:
    from kiln.engine import Engine

_FILES = "/kiln/files"
_NAMES = "abcdefgh"
_SCRIPT = f"""
uname --nodename
id --user
date +%Y
nproc
uname --kernel-release
echo $(ls -U {_FILES})
echo "${{NOISE:-}}"
"""


@dataclass(frozen=True)
class Seen:
    """What a container of a build sees; `order` is that of the files of a folder, `clock` the year."""

    hostname: str
    user: str
    clock: str
    processors: str
    kernel: str
    order: str
    environment: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def see(engine: Engine, image: str, label: str, files: Path) -> Seen:
    """What a container of an image sees; `files` is a folder made by `lay_out`.

    Raises EngineError where the probe does not run.
    """
    lines: list[str] = []
    run = Run(image, ("bash", "-c", _SCRIPT), label, {"LC_ALL": "C"}, (Mount(files, _FILES),))
    status = engine.run(run, lines.append)
    fields = len(Seen.__dataclass_fields__)
    if status or len(lines) < fields:
        raise EngineError(
            f"a container does not run under the conditions of the rebuild (status {status})",
            "leave out the variation that its last lines name, with --no-vary",
            detail="\n".join(f"  {line}" for line in lines[-5:]),
        )
    return Seen(*lines[-fields:])


def lay_out(folder: Path) -> Path:
    """A new folder of files whose order a container shows."""
    folder.mkdir()
    folder.chmod(0o755)
    for name in _NAMES:
        (folder / name).touch()
    return folder


def unseen(usual: Seen, rebuilt: Seen, chosen: Mapping[str, object] | tuple[str, ...]) -> dict[str, str]:
    """Of the variations `chosen`, those that a container should see and did not, each with why."""
    before, now = usual.as_dict(), rebuilt.as_dict()
    return {
        name: f"the containers still see {value!r}"
        for name, value in now.items()
        if name in chosen and value == before[name]
    }
