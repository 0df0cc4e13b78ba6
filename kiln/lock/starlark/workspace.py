"""The external repositories that a Bazel workspace declares, as downloads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiln.lock.starlark.evaluator import Evaluator, StarlarkError
from kiln.lock.starlark.library import Unknown

# Repositories that Bazel brings itself.
BUILT_IN = ("bazel_tools", "local_config_cc", "local_config_platform", "platforms", "rules_cc_builtin")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LABEL_REPOSITORY = re.compile(r"@([A-Za-z0-9._-]+)(?://|$|\s|\()")


@dataclass(frozen=True)
class Declaration:
    """One call of a repository rule. `chunk` counts the groups of loads in WORKSPACE before it."""

    name: str
    kind: str
    attributes: Mapping[str, Any]
    place: str
    chunk: int


@dataclass(frozen=True)
class External:
    """One file that a repository rule downloads, or one commit that it checks out.

    `name` is the repository's; of several files of one repository it goes on with the file's own name.
    A file has `urls`, and an empty `sha256` where the workspace gives none; a checkout has `remote` and
    `reference`, a commit or a tag.
    """

    name: str
    repository: str
    urls: tuple[str, ...] = ()
    sha256: str = ""
    strip_prefix: str = ""
    remote: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Workspace:
    """What a workspace declares.

    `local` are the repositories that download nothing as far as their declaration says; `unknown` are macros
    of missing repositories, each with its place: what they would have declared is not here.
    """

    externals: tuple[External, ...]
    local: Mapping[str, str]
    unknown: tuple[tuple[Unknown, str], ...]

    def blocked_by(self) -> tuple[str, ...]:
        """The missing repositories, without which the workspace is not known as a whole."""
        downloads = {external.repository for external in self.externals}
        return tuple(sorted({macro.repository or "" for macro, _ in self.unknown} & downloads))


def read_workspace(tree: Path, at_hand: Callable[[tuple[External, ...]], Path | None]) -> Workspace:
    """Evaluate the workspace of a source tree.

    `at_hand` gives the folder of a declared repository whose files are loaded, or None. Of several
    declarations of one name the first counts, but within one group of statements the last: as in Bazel.

    Raises StarlarkError, or UsageError where there is no WORKSPACE.
    """
    host = _Host(tree, at_hand)
    Evaluator(host).workspace(host.next_chunk)
    externals: list[External] = []
    local: dict[str, str] = {}
    for declaration in sorted(host.winners().values(), key=lambda each: each.name):
        found = tuple(_externals(declaration))
        externals += found
        if not found:
            local[declaration.name] = declaration.kind
    return Workspace(tuple(externals), local, tuple(host.unknown))


@dataclass
class _Host:
    """The evaluator's host: keeps every declaration, in order."""

    root: Path
    at_hand: Callable[[tuple[External, ...]], Path | None]
    declarations: list[Declaration] = field(default_factory=list)
    unknown: list[tuple[Unknown, str]] = field(default_factory=list)
    chunk: int = 0
    trees: dict[str, Path | None] = field(default_factory=dict)

    def next_chunk(self) -> None:
        self.chunk += 1

    def winners(self) -> dict[str, Declaration]:
        found: dict[str, Declaration] = {}
        for each in self.declarations:
            if each.name not in found or found[each.name].chunk == each.chunk:
                found[each.name] = each
        return found

    def tree(self, repository: str) -> Path | None:
        winners = self.winners()
        if repository in ("", _name_of(winners)):
            return self.root
        if repository not in self.trees:
            declaration = winners.get(repository)
            found = tuple(_externals(declaration)) if declaration else ()
            if not found:
                return None
            self.trees[repository] = self.at_hand(found)
        return self.trees[repository]

    def declare(self, kind: str, attributes: Mapping[str, Any], place: str) -> None:
        name = attributes["name"]
        if not isinstance(name, str):
            raise StarlarkError(place, f"the name of a {kind} is not known")
        self.declarations.append(Declaration(name, kind, attributes, place, self.chunk))

    def macro(self, unknown: Unknown, place: str) -> None:
        if unknown.repository not in BUILT_IN:
            self.unknown.append((unknown, place))

    def declared(self) -> Mapping[str, Mapping[str, Any]]:
        return {each.name: {**each.attributes, "kind": each.kind} for each in self.winners().values()}


def _name_of(declarations: Mapping[str, Declaration]) -> str:
    return next((each.name for each in declarations.values() if each.kind == "workspace"), "")


def _externals(declaration: Declaration) -> Iterator[External]:
    """The downloads of a rule, by the names that rules give to such attributes.

    `url`, `urls` go with `sha256`; a prefix makes another pair (`jar_urls`, `jar_sha256`); `sha256_urls` is a
    mapping from hash to URLs; `remote` goes with `commit` or `tag`.
    """
    attributes = declaration.attributes
    files: list[tuple[tuple[str, ...], str]] = []
    for key in sorted(attributes):
        value = attributes[key]
        if key.endswith("sha256_urls"):
            files += [(_urls(urls, declaration), str(sha256)) for sha256, urls in _pairs(value, declaration)]
        elif key.endswith(("urls", "url")):
            prefix = key[: key.rindex("url")]
            urls = _urls(value, declaration)
            if urls:
                files.append((urls, _text(attributes.get(f"{prefix}sha256", ""), declaration)))
    for urls, sha256 in files:
        if sha256 and not _SHA256.fullmatch(sha256):
            raise StarlarkError(declaration.place, f"{declaration.name} has {sha256!r} for a sha256")
        yield External(
            name=declaration.name if len(files) == 1 else f"{declaration.name}-{_basename(urls[0])}",
            repository=declaration.name,
            urls=urls,
            sha256=sha256,
            strip_prefix=_text(attributes.get("strip_prefix", ""), declaration).strip("/"),
        )
    if "remote" in attributes:
        yield External(
            name=declaration.name,
            repository=declaration.name,
            remote=_text(attributes["remote"], declaration),
            reference=_text(attributes.get("commit") or attributes.get("tag", ""), declaration),
            strip_prefix=_text(attributes.get("strip_prefix", ""), declaration).strip("/"),
        )


def _urls(value: Any, declaration: Declaration) -> tuple[str, ...]:
    """The URLs of an attribute, each once, in order."""
    listed = value if isinstance(value, (list, tuple)) else [value]
    return tuple(dict.fromkeys(_text(url, declaration) for url in listed if url))


def _pairs(value: Any, declaration: Declaration) -> list[tuple[Any, Any]]:
    if not isinstance(value, dict):
        _text(value, declaration)
        return []
    return list(value.items())


def _text(value: Any, declaration: Declaration) -> str:
    if not isinstance(value, str):
        raise StarlarkError(
            declaration.place, f"what {declaration.name} downloads depends on {value}, which is not known"
        )
    return value


def _basename(url: str) -> str:
    return url.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]


def needed_externals(text: str) -> frozenset[str]:
    """The names of repositories in what Bazel says about a target.

    Takes the labels that `bazel query 'deps(TARGET)'` prints, the file that
    `--experimental_repository_resolved_file` writes, or a list of names, one a line; `#` begins a comment.
    """
    if re.search(r"^\s*resolved\s*=\s*\[", text, re.MULTILINE):
        return frozenset(re.findall(r"""["']name["']\s*:\s*["']([^"']+)["']""", text))
    names: set[str] = set()
    for line in (line.split("#", 1)[0].strip() for line in text.splitlines()):
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", line):
            names.add(line)
        elif line.startswith("//external:"):
            names.add(line.removeprefix("//external:"))
        else:
            names.update(_LABEL_REPOSITORY.findall(line)[:1])
    return frozenset(names)
