"""Twenty things that people do first with OpenCV, done with a wheel that Kiln built and with the one on the package index.

Each has a process of its own, on a display that is made for it where Xvfb is installed. The table has what both answered.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
THINGS = Path(__file__).with_name("opencv_things.py")
FILMS = ROOT / "smoke/opencv/films"
OFFICIAL = "opencv-python==4.3.0.38"
# The picture of a face that scikit-image has always had.
FACE = ("scikit-image==0.19.3", "skimage/data/astronaut.png")

FROZEN = """
import cv2, numpy
print(cv2.__version__, cv2.GaussianBlur(numpy.full((9, 9), 7, numpy.uint8), (3, 3), 0)[0, 0])
"""
TYPED = """
import cv2
picture = cv2.imread("a.png")
grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
small = cv2.resize(grey, (10, 10))
width: int = small.shape[1]
cv2.rectangle(picture, (1, 2), (3, 4), 255)
"""
WRONG = "import cv2\ncv2.imread(5)\n"
BESIDE = """
import av, cv2
film = {film!r}
capture = cv2.VideoCapture(film)
counts = [0, 0]
with av.open(film) as container:
    for _ in container.decode(video=0):
        counts[0] += 1
        counts[1] += capture.read()[0]
print(*counts)
"""


def output(*command: object, **changed: object) -> tuple[int, str]:
    """The status of a program, and the last line that it printed, or else said in its complaint."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, errors="replace", timeout=900, **changed
    )  # type: ignore[call-overload]
    lines = (done.stdout.strip() or done.stderr.strip() or "-").splitlines()
    return done.returncode, lines[-1]


class Wheel:
    """A wheel in an environment of its own; `places` says where pip finds it, and packages that require it.

    `stand_ins` are pins of what stands in for it under other names: pip prefers what is newer elsewhere.
    """

    def __init__(
        self, python: str, requirement: str, folder: Path, places: list[str], stand_ins: tuple[str, ...] = ()
    ) -> None:
        self.folder, self.places, self.stand_ins = folder, places, stand_ins
        subprocess.run([python, "-m", "venv", folder], check=True)
        self.python = folder / "bin/python"
        self.requirement = requirement
        self.pip("install", requirement, "numpy<2")

    def pip(self, *arguments: str) -> None:
        quiet = ["--quiet", "--disable-pip-version-check"]
        places = self.places if arguments[0] == "install" else []
        subprocess.run([self.python, "-m", "pip", *arguments, *quiet, *places], check=True)

    def thing(self, name: str, picture: Path) -> str:
        screen = [shutil.which("xvfb-run"), "-a"] if shutil.which("xvfb-run") else []
        status, line = output(*screen, self.python, THINGS, FILMS, picture, name)
        return str(json.loads(line)) if status == 0 else f"ended with status {status}: {line}"

    def frozen(self) -> str:
        self.pip("install", "pyinstaller")
        (self.folder / "frozen.py").write_text(FROZEN)
        tool = self.folder / "bin/pyinstaller"
        status, line = output(tool, "--log-level", "ERROR", "frozen.py", cwd=self.folder)
        if status:
            return line
        return output(self.folder / "dist/frozen/frozen", env={})[1]

    def typed(self) -> str:
        self.pip("install", "mypy")
        said = []
        for name, text in (("typed.py", TYPED), ("wrong.py", WRONG)):
            (self.folder / name).write_text(text)
            said.append(output(self.python, "-m", "mypy", "--strict", name, cwd=self.folder)[0])
        return f"right code: {'an error' if said[0] else 'good'}, wrong code: {'an error' if said[1] else 'good'}"

    def beside_av(self) -> str:
        self.pip("install", "av")
        status, line = output(self.python, "-c", BESIDE.format(film=str(FILMS / "h264.mp4")))
        return line if status == 0 else f"ended with status {status}: {line}"

    def beside_headless(self) -> str:
        """Install a package that requires another of the four names; remove that; and see what is left."""
        self.pip("install", self.requirement, "wants-headless", *self.stand_ins)
        self.pip("uninstall", "--yes", "wants-headless", "opencv-python-headless")
        return output(self.python, "-c", "import cv2; print(cv2.__version__)")[1]


def wants_headless(folder: Path) -> None:
    """A wheel without files that requires opencv-python-headless."""
    info = "wants_headless-1.0.dist-info/"
    with zipfile.ZipFile(folder / "wants_headless-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(
            info + "METADATA",
            "Metadata-Version: 2.1\nName: wants-headless\nVersion: 1.0\n"
            "Requires-Dist: opencv-python-headless>=4.1,<4.4\n",
        )
        archive.writestr(
            info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(info + "RECORD", "")


def pin(wheel: Path) -> str:
    name, version, *_ = wheel.name.split("-")
    return f"{name.replace('_', '-')}=={version}"


def face(folder: Path) -> Path:
    requirement, member = FACE
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
         "--python-version", "3.8", "--dest", folder, requirement],
        check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("scikit_image*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(member, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "result", nargs="?", type=Path, default=ROOT / "dist/opencv/4.3.0/cp311-cpu-bookworm-sse4.2",
        help="the folder of a build (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--python", default="python3.8", help="for the other wheel: 3.6, 3.7 or 3.8")
    given = parser.parse_args()
    wheels = list(given.result.glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"{given.result} has no wheel: run `./inv build-opencv` first")
    python = json.loads((given.result / "plan.json").read_text())["inputs"]["interpreter"]["executable"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        links = folder / "links"
        links.mkdir()
        wants_headless(links)
        index = [ROOT / "inv", "index", given.result, "--output", folder / "index"]
        subprocess.run(index, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        own = f"file://{folder}/index/simple/"
        version = wheels[0].name.split("-")[1]
        others = [pin(wheel) for wheel in (folder / "index").rglob("opencv_python_headless-*.whl")]
        subjects = [
            Wheel(
                python, f"opencv-python=={version}", folder / "ours",
                ["--extra-index-url", own, "--find-links", str(links)],
                tuple(others),
            ),
            Wheel(given.python, OFFICIAL, folder / "official", ["--find-links", str(links)]),
        ]  # fmt: skip
        picture = face(folder)
        rows = [
            (thing, *(each.thing(thing, picture) for each in subjects))
            for thing in json.loads(output(subjects[0].python, THINGS)[1])
        ]
        for title, work in (
            ("read a clip by PyAV in the same process", Wheel.beside_av),
            ("freeze a program with PyInstaller", Wheel.frozen),
            ("check types with mypy", Wheel.typed),
            ("install it beside a package that wants -headless, and remove that", Wheel.beside_headless),
        ):
            rows.append((title, *(work(each) for each in subjects)))
    table = Table("thing", "Kiln", "other", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(width=int(os.environ.get("COLUMNS", 170))).print(table)
    same = sum(ours == other for _, ours, other in rows)
    print(f"the same answer: {same} of {len(rows)}. {wheels[0].name}, {OFFICIAL}")


if __name__ == "__main__":
    main()
