"""How quickly a command starts, in processor time, beside the same commands of the previous release or another checkout.

Both sides run in copies, on one interpreter with the same libraries, in turns; each has a home of its own with one
finished OpenCV build in it, which `build-opencv` finds. No container engine answers, and no network is used. The
best of all rounds counts: on a busy machine the others say how busy it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PREVIOUS = "20c5be6"  # the last commit before kiln/ became packages

# Each command with the most seconds that it may take.
COMMANDS = {
    "--list": 0.30,
    "plan tensorflow": 0.35,
    "build-opencv": 0.45,
    "gc": 1.2,
}


@dataclass(frozen=True)
class Side:
    """A copy of a checkout, and its home."""

    root: Path
    home: Path

    def run(self, command: str) -> str:
        """What a command prints; an error where it fails."""
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("KILN_", "PYTHON"))},
            "KILN_HOME": str(self.home),
            "KILN_OFFLINE": "1",
            "DOCKER_HOST": "unix:///nowhere",
        }
        done = subprocess.run(
            [sys.executable, "tasks.py", *command.split()],
            cwd=self.root, env=variables, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"`./inv {command}` failed in {self.root}:\n{done.stderr}")
        return done.stdout

    def seconds(self, command: str) -> float:
        """The processor time of a command, of all its processes."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run(command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def finish_opencv(self) -> None:
        """Put a finished build of OpenCV into the home, with the form of a build and without its content."""
        text = self.run("plan opencv --json")
        plan = json.loads(text)
        folder = self.home / "results" / plan["key"]
        folder.mkdir(parents=True)
        files = {
            "opencv-1-py3-none-any.whl": "",
            "build.log": "",
            "plan.json": text,
            "smoke.key": plan["smoke"]["key"] + "\n",
        }
        for name, content in files.items():
            (folder / name).write_text(content)
        sums = (f"{hashlib.sha256(files[name].encode()).hexdigest()}  {name}\n" for name in sorted(files))
        (folder / "SHA256SUMS").write_text("".join(sums))


def side(checkout: str, place: Path) -> Side:
    """A side in the new folder `place`, of a folder as it is now, or of a commit."""
    root = place / "checkout"
    root.mkdir(parents=True)
    if Path(checkout).is_dir():
        git = ["git", "-C", checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            source, target = Path(checkout, name), root / name
            if source.is_symlink() or source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target, follow_symlinks=False)
    else:
        archive = place / "checkout.tar"
        subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(archive), checkout], check=True)
        subprocess.run(["tar", "-xf", str(archive), "-C", str(root)], check=True)
    made = Side(root, place / "home")
    made.finish_opencv()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", nargs="?", default=PREVIOUS, help="a checkout's folder, or a commit")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sides = (side(given.other, Path(name, "other")), side(str(ROOT), Path(name, "this")))
        best: dict[str, list[float]] = {}
        for command in COMMANDS:
            for each in sides:
                each.run(command)  # compiles the modules
            rounds = [[each.seconds(command) for each in sides] for _ in range(given.rounds)]
            best[command] = [min(taken) for taken in zip(*rounds)]
    show(best, given.other)


def show(best: dict[str, list[float]], other: str) -> None:
    table = Table("command", *(f"{title}" for title in (f"{other}, s", "now, s", "ratio", "at most, s")))
    for column in table.columns[1:]:
        column.justify = "right"
    for command, (before, now) in best.items():
        mark = "" if now <= COMMANDS[command] else " (more)"
        table.add_row(
            f"./inv {command}", f"{before:.2f}", f"{now:.2f}", f"{now / before:.2f}",
            f"{COMMANDS[command]:.2f}{mark}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
