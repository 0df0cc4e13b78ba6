"""The layer library's models in ONNX: converted for each opset, run, and compared with TensorFlow's answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kiln.core import STRICT, Console, KilnError, SmokeError, UsageError, read_yaml, typed
from kiln.models.environment import Environment, Pins

PYTHON = "3.7"  # the last that TensorFlow 1.15 has wheels for
OPSETS = range(1, 16)
TOLERANCE = 1e-5  # of the largest number in an answer, or of 1 where that is smaller
MANIFEST = "models.json"

# What is published as source only.
_SDISTS = ("gast", "timeout-decorator")


def pins(root: Path, wheel: Path | None) -> Pins:
    """The packages that models are converted and run with; `wheel` instead of one of them, as it was built."""
    return Pins("onnx", root / "layers" / "requirements-onnx.txt", _SDISTS, wheel)


def opsets(text: str) -> tuple[int, ...]:
    """Opsets such as "7-13" or "7,9,11-13", each once, in order; UsageError for anything else."""
    found: set[int] = set()
    for part in text.split(","):
        matched = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part, re.ASCII)
        first, last = (
            (int(matched.group(1)), int(matched.group(2) or matched.group(1))) if matched else (1, 0)
        )
        if first > last or first not in OPSETS or last not in OPSETS:
            raise UsageError(
                f"--opsets {text!r} is not a list of opsets from {OPSETS[0]} to {OPSETS[-1]}",
                "give one such as 7-13 or 7,9,11-13",
            )
        found |= set(range(first, last + 1))
    return tuple(sorted(found))


@dataclass(frozen=True)
class Bad:
    """Versions of a package that are refused, and why."""

    package: str
    range: str
    why: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Refused:
    versions: tuple[Bad, ...]

    __pydantic_config__ = STRICT


def known_bad(root: Path) -> tuple[Bad, ...]:
    """The versions that are refused; UsageError where their list cannot be read."""
    return typed(read_yaml(root / "layers" / "export" / "known-bad.yaml"), Refused).versions


def refuse(versions: Mapping[str, str], bad: Sequence[Bad]) -> None:
    """UsageError that names every version among these which is known to be bad, with the reason."""
    found = [
        f"{each.package} {versions[each.package]}: {each.why}"
        for each in bad
        if Version(versions.get(each.package, "0")) in SpecifierSet(each.range, prereleases=True)
        and each.package in versions
    ]
    if found:
        lines = "\n".join("  " + each for each in found)
        raise UsageError(
            "versions that are known to be bad are not used",
            "install others, or leave out --venv to use Kiln's own environment",
            detail=lines,
        )


@dataclass(frozen=True)
class Answer:
    """The result of a model in one format: the file, and an error, a reason, or neither where nothing was run.

    `error` is the largest absolute difference to Keras over all outputs, infinite where an output is of another
    shape or not finite; `scale` the largest number in Keras's answers; `reason` says why there is no answer.
    """

    model: str
    format: str
    opset: int | None = None
    error: float | None = None
    scale: float = 0.0
    reason: str = ""
    file: str = ""

    @property
    def wrong(self) -> bool:
        return self.error is not None and not self.error <= TOLERANCE * max(1.0, self.scale)


@dataclass(frozen=True)
class Matrix:
    """All answers, and the versions that gave them."""

    versions: Mapping[str, str]
    answers: tuple[Answer, ...]

    @property
    def onnx(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.opset is not None)

    @property
    def exports(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.opset is None)


class Exporter:
    """The program layers/export/convert.py in an environment."""

    def __init__(self, root: Path, environment: Environment, variables: Mapping[str, str]) -> None:
        self._root, self._environment = root, environment
        self._variables = environment.variables(variables, PYTHONPATH=str(root / "layers"))

    def versions(self) -> dict[str, str]:
        """What is installed, by import name; UsageError where something is missing or cannot be imported."""
        try:
            (found,) = self._lines("versions")
        except (KilnError, OSError, ValueError) as error:
            raise UsageError(
                f"{self._environment.folder} cannot run the converter ({error})",
                "install what layers/requirements-onnx.txt lists, or leave out --venv to use Kiln's own environment",
            ) from error
        return {name: str(version) for name, version in found.items()}

    def answers(self, wanted: Sequence[int], models: str, folder: Path | None) -> Iterator[Answer]:
        """The answers as they come. Files are written to a folder, if one is given.

        Raises UsageError for an unknown model, KilnError where the program fails.
        """
        listed = ",".join(map(str, wanted))
        for line in self._lines("run", listed, models, *([str(folder)] if folder else [])):
            if "unknown" in line:
                raise UsageError(f"there is no model {line['unknown']!r}", f"choose some of {line['known']}")
            yield Answer(**line)

    def _lines(self, *arguments: str) -> Iterator[dict[str, Any]]:
        script = self._root / "layers" / "export" / "convert.py"
        command = [str(self._environment.python), str(script), *arguments]
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                command, env=self._variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            ) as process:
                assert process.stdout is not None  # noqa: S101  (for the type checker)
                try:
                    for line in process.stdout:
                        yield json.loads(line)
                finally:
                    if process.poll() is None and sys.exc_info()[0]:
                        process.kill()
            if process.returncode:
                errors.seek(0)
                *_, last = ["nothing", *errors.read().decode("utf-8", "replace").strip().splitlines()]
                raise KilnError(f"{script} ended with {process.returncode}; its last line: {last}")


def run(
    root: Path,
    environment: Environment,
    variables: Mapping[str, str],
    wanted: Sequence[int],
    models: str,
    output: Path | None,
    console: Console,
) -> Matrix:
    """The matrix of models (names separated by commas; all if empty) and opsets; files go to a new folder, if given.

    Raises UsageError where versions are refused or the folder is not empty.
    """
    exporter = Exporter(root, environment, variables)
    versions = exporter.versions()
    refuse(versions, known_bad(root))
    folder = _new(output) if output else None
    answers = []
    with console.status("onnx") as line:
        for answer in exporter.answers(wanted, models, folder):
            line(f"{answer.model} {answer.format}")
            answers.append(answer)
    matrix = Matrix(versions, tuple(answers))
    if folder:
        write_manifest(matrix, folder)
    return matrix


def judge(matrix: Matrix) -> None:
    """SmokeError where an answer is wrong, or a model runs with none of the opsets."""
    wrong = [f"{each.model} at opset {each.opset}" for each in matrix.onnx if each.wrong]
    wrong += [f"{each.model} as {each.format}" for each in matrix.exports if each.wrong]
    names = dict.fromkeys(answer.model for answer in matrix.onnx)
    right = {answer.model for answer in matrix.onnx if not answer.reason}
    never = [name for name in names if name not in right]
    if wrong:
        raise SmokeError(f"{', '.join(wrong)} differs from TensorFlow", "do not use these files")
    if never:
        raise SmokeError(f"{', '.join(never)} runs with none of these opsets", "read the reasons above")


def write_manifest(matrix: Matrix, folder: Path) -> None:
    """The list of all files in a folder, for a report that links them: paths are relative to it."""
    files = [
        {
            "model": answer.model,
            "format": answer.format,
            **({} if answer.opset is None else {"opset": answer.opset}),
            "file": Path(answer.file).relative_to(folder).as_posix(),
            **(
                {}
                if answer.error is None
                else {"error": answer.error if isfinite(answer.error) else "infinite"}
            ),
            **({"reason": answer.reason} if answer.reason else {}),
        }
        for answer in matrix.answers
        if answer.file and Path(answer.file).exists()
    ]
    text = json.dumps({"versions": matrix.versions, "models": files}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def _new(folder: Path) -> Path:
    folder = folder.expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--output {folder} exists already", "name a folder that is new or empty")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
