"""Changes to other people's Python files, found by what the code says and not by its version or its layout."""

from __future__ import annotations

import ast
import difflib
import io
import os
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from kiln.core import STRICT, RelativePath, UsageError, read_yaml, typed


def _statement(text: str) -> str:
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f"this is not Python: {error.msg}") from error
    if len(statements) != 1:
        raise ValueError("exactly one statement is wanted")
    return text


# What comes before each line of a statement that a patch keeps in comments.
KEPT = "# before the patch: |"
_ENDS = "\r\n"

Statement = Annotated[str, AfterValidator(_statement)]


@dataclass(frozen=True)
class Form:
    """One way in which the code is known to be written: a statement inside a function.

    With `becomes` it is patched, without it needs none; `says` tells people what the form means for them, and
    `patched_says` what it means once it is patched.
    """

    name: str
    says: str
    inside: str
    code: Statement
    becomes: Statement | None = None
    patched_says: str | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Watch:
    """The calls of which every one inside these functions must belong to a known form: the end of their name."""

    call: str
    inside: Annotated[tuple[str, ...], Field(min_length=1)]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class CodePatch:
    """What patches/checkouts/NAME/patch.yaml says. `files` are the places of the one file, of which the first there counts.

    `otherwise` is said of code that has all the functions of a form and no watched call.
    """

    summary: str
    upstream: str
    files: Annotated[tuple[RelativePath, ...], Field(min_length=1)]
    watch: Watch
    forms: Annotated[tuple[Form, ...], Field(min_length=1)]
    otherwise: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Found:
    """What a text is: a form (None: no watched call), patched or not, and the statement's place in it."""

    form: Form | None
    patched: bool = False
    statement: ast.stmt | None = None

    @property
    def line(self) -> int | None:
        return self.statement.lineno if self.statement else None


@dataclass(frozen=True)
class Outcome:
    """A file with what was found in it, and its text before and after; they are equal where nothing is to do."""

    file: Path
    found: Found
    says: str
    before: str
    after: str

    @property
    def difference(self) -> str:
        """A unified diff, empty where nothing is to do."""
        name = self.file.name
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))


def names(root: Path) -> list[str]:
    """The patches that there are for other people's code."""
    return sorted(path.parent.name for path in _folder(root).glob("*/patch.yaml"))


def load(root: Path, name: str) -> CodePatch:
    """A patch by its name; UsageError where there is none, or with every mistake in its file."""
    if name not in names(root):
        raise UsageError(f"there is no patch {name!r}", f"choose one of {', '.join(names(root))}")
    patch: CodePatch = typed(read_yaml(_folder(root) / name / "patch.yaml"), CodePatch)
    return patch


def _folder(root: Path) -> Path:
    """Patches for a person's checkout, not for a recipe's sources."""
    return root / "patches" / "checkouts"


def run(patch: CodePatch, folder: Path, revert: bool = False, dry: bool = False) -> Outcome:
    """Patch the file in a folder, or take the patch back; with `dry` nothing is written.

    Raises UsageError where the file is not there, or its code is in no known form: nothing is written then.
    """
    file = _file(patch, folder)
    try:
        # As it is on the disk: open() would turn every line's end into one of its own.
        before = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text", "restore it from version control") from error
    try:
        found = examine(patch, before)
        after = rewritten(before, found, revert)
    except UnknownCodeError as error:
        raise UsageError(
            f"{file}{error}; nothing was changed: compare it with {patch.upstream} and change it by hand"
        ) from error
    if after != before and not dry:
        _replace(file, after)
    return Outcome(file, found, _says(patch, found), before, after)


def _says(patch: CodePatch, found: Found) -> str:
    if found.form is None:
        return patch.otherwise
    return (found.patched and found.form.patched_says) or found.form.says


def summary(outcome: Outcome, dry: bool = False) -> str:
    """What was found and done, for people; with `dry` the difference, too."""
    form, line = outcome.found.form, outcome.found.line
    where = f"{outcome.file}:{line}" if line else f"{outcome.file}"
    if form is None:
        found, done = "none of the forms that need a patch", "nothing to do"
    elif form.becomes is None:
        found, done = f"form {form.name}, which needs no patch", "nothing to do"
    else:
        found = f"form {form.name}{', patched' if outcome.found.patched else ''}"
        done = (
            "nothing to do"
            if outcome.after == outcome.before
            else "taken back"
            if outcome.found.patched
            else "patched"
        )
    changes = outcome.after != outcome.before
    done = "would be changed" if dry and changes else done
    lines = [f"found    {found}  {where}", f"means    {outcome.says}", f"done     {done}"]
    return "\n".join([*lines, *([outcome.difference.rstrip()] if dry and changes else [])])


class UnknownCodeError(Exception):
    """Why a text is in no known form, to be read after the file's name: `:line: reason`, or ` reason`."""


def examine(patch: CodePatch, text: str) -> Found:
    """What a text is. Layout, comments and quotes make no difference.

    Raises UnknownCodeError where it is not Python, is missing a form's function, or has a watched call elsewhere.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}:" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UnknownCodeError(f"{line} is no Python that this interpreter reads") from error
    missing = sorted({form.inside for form in patch.forms} - {each.name for each in _functions(module)})
    if missing:
        raise UnknownCodeError(f" has no function {' and no '.join(missing)}")
    matches = [
        Found(form, patched, statement)
        for form in patch.forms
        for code, patched in ((form.code, False), (form.becomes, True))
        if code
        for statement in _alike(module, form.inside, ast.parse(code).body[0])
    ]
    # The statement of one form may be a part of another's.
    outer = [
        match
        for match in matches
        if not any(match is not other and _holds(other.statement, match.statement) for other in matches)
    ]
    calls = [call for name in patch.watch.inside for call in _calls(module, name, patch.watch.call)]
    undeclared = [call for call in calls if not any(_holds(match.statement, call) for match in outer)]
    if undeclared:
        raise UnknownCodeError(
            f":{undeclared[0].lineno}: calls {patch.watch.call} in a form that is not known"
        )
    if len(outer) > 1:
        lines = ", ".join(str(match.line) for match in outer)
        raise UnknownCodeError(f" has more than one statement of a known form (lines {lines})")
    return outer[0] if outer else Found(None)


def rewritten(text: str, found: Found, revert: bool = False) -> str:
    """The text with the statement patched, or as it was; the text itself where nothing is to do.

    A statement whose layout is not that of the form is kept in comments before the patched one, for the way back.

    Raises UnknownCodeError where the statement shares a line with another.
    """
    form, statement = found.form, found.statement
    if form is None or statement is None or form.becomes is None or found.patched != revert:
        return text
    # As Python counts them: str.splitlines knows other ends of lines.
    lines = list(io.StringIO(text, newline=""))
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    # Columns are counted in bytes.
    indentation = lines[first].encode()[: statement.col_offset].decode().lstrip("\ufeff")
    rest = lines[last].encode()[statement.end_col_offset :].decode()
    remark = rest.strip()
    if indentation.strip() or (remark and not remark.startswith("#")):
        raise UnknownCodeError(f":{statement.lineno}: has another statement on the same line")
    ending = _end(rest)
    newline = next((end for end in ("\r\n", "\n", "\r") if lines[first].endswith(end)), "\n")

    def written(code: str) -> str:
        new = textwrap.indent(code.rstrip("\n"), indentation)
        return new.replace("\n", newline) + (f"  {remark}" if remark else "") + ending

    start, kept = _kept(lines, first)
    if revert:
        return "".join(
            [*lines[:start], "".join(kept) + ending if kept else written(form.code), *lines[last + 1 :]]
        )
    old = lines[first : last + 1]
    own = "".join(old) == written(form.code)
    comments = (
        [] if own else [f"{indentation}{KEPT}{line.rstrip(_ENDS)}{_end(line) or newline}" for line in old]
    )
    return "".join([*lines[:first], *comments, written(form.becomes), *lines[last + 1 :]])


def _kept(lines: list[str], statement: int) -> tuple[int, list[str]]:
    """Where the comments before a statement begin that hold an earlier one, and its lines, the last without its end."""
    start = statement
    while start and lines[start - 1].lstrip(" \t").startswith(KEPT):
        start -= 1
    kept = [line.lstrip(" \t")[len(KEPT) :] for line in lines[start:statement]]
    return start, [*kept[:-1], *(line.rstrip(_ENDS) for line in kept[-1:])]


def _end(line: str) -> str:
    return line[len(line.rstrip(_ENDS)) :]


def _file(patch: CodePatch, folder: Path) -> Path:
    for name in patch.files:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{folder} holds none of {', '.join(patch.files)}", "give the folder that does")


def _replace(file: Path, text: str) -> None:
    real = file.resolve()
    with tempfile.NamedTemporaryFile(dir=real.parent, prefix=f".{real.name}.", delete=False) as copy:
        try:
            copy.write(text.encode())
            os.fchmod(copy.fileno(), real.stat().st_mode & 0o7777)
            os.replace(copy.name, real)  # noqa: PTH105
        except BaseException:
            Path(copy.name).unlink(missing_ok=True)
            raise


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef]:
    return (each for each in module.body if isinstance(each, ast.FunctionDef))


def _alike(module: ast.Module, function: str, wanted: ast.stmt) -> Iterator[ast.stmt]:
    """The statements inside a function that say the same as another one."""
    text = ast.dump(wanted)
    for each in _functions(module):
        if each.name == function:
            for node in ast.walk(each):
                if isinstance(node, ast.stmt) and isinstance(node, type(wanted)) and ast.dump(node) == text:
                    yield node


def _calls(module: ast.Module, function: str, name: str) -> Iterator[ast.Call]:
    for statement in _functions(module):
        if statement.name == function:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and f".{ast.unparse(node.func)}".endswith(f".{name}"):
                    yield node


def _holds(outer: ast.AST | None, inner: ast.AST | None) -> bool:
    return outer is not None and any(node is inner for node in ast.walk(outer))
