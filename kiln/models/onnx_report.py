"""Tables of the matrix of models and opsets, of the exported files, and of tf2onnx's suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table

from kiln.core import Console
from kiln.models.onnx import MANIFEST, Answer, Matrix
from kiln.models.onnx_suite import Result


def matrix(found: Matrix, output: Path | None, console: Console) -> None:
    """A row for each model, a column for each opset; below it why some have no answer, and the exported files."""
    console.say(", ".join(f"{name} {version}" for name, version in found.versions.items()))
    reasons: list[str] = []
    for title, answers in (("opset", found.onnx), ("file", found.exports)):
        if answers:
            console.say()
            console.table(_table(title, answers, reasons))
    console.say()
    console.say("numbers: the largest absolute difference from TensorFlow's answers, over all outputs")
    for number, reason in enumerate(reasons, 1):
        console.say(f"    ({number})  {reason}")
    if output:
        console.say(f"files    {output / MANIFEST} lists them")


def suite(results: Sequence[Result], console: Console) -> None:
    """The counts for each opset, and the tests that failed with the opsets at which they did."""
    table = Table(
        *(Column(name, justify="right") for name in ("opset", "passed", "failed", "skipped")),
        box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    failures: dict[str, list[int]] = {}
    for result in results:
        counts = (
            result.opset,
            result.outcome.count("passed"),
            result.failed,
            result.outcome.count("skipped"),
        )
        table.add_row(*map(str, counts))
        for case in result.outcome.failures:
            failures.setdefault(f"{case.area}.{case.name}", []).append(result.opset)
    console.table(table)
    for name, opsets in failures.items():
        console.say(f"failed   {name}  at opset {', '.join(map(str, opsets))}")


def _column(answer: Answer) -> str:
    return answer.format if answer.opset is None else str(answer.opset)


def _table(title: str, answers: Sequence[Answer], reasons: list[str]) -> Table:
    """Models by columns; a reason becomes a number in the list of all reasons."""
    columns = list(dict.fromkeys(map(_column, answers)))
    table = Table(
        Column(title), *(Column(name, justify="right") for name in columns),
        box=None, pad_edge=False, header_style="bold",
    )  # fmt: skip
    for model in dict.fromkeys(answer.model for answer in answers):
        cells = {_column(answer): _cell(answer, reasons) for answer in answers if answer.model == model}
        table.add_row(escape(model), *(cells.get(name, "") for name in columns))
    return table


def _cell(answer: Answer, reasons: list[str]) -> str:
    if answer.reason:
        if answer.reason not in reasons:
            reasons.append(answer.reason)
        return f"({reasons.index(answer.reason) + 1})"
    if answer.error is None:
        return "written"
    shown = f"{answer.error:.0e}" if answer.error else "0"
    return f"[red]wrong {shown}[/red]" if answer.wrong else shown
