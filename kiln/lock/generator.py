"""A recipe's lock, generated from its source trees: every file that its own build system would download.

`lock.yaml` beside the recipe's file says how; `sources.lock.yaml` is the result, for all releases of that file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, Union

from pydantic import Field

from kiln.core import STRICT, Name, RelativePath, SourceError, UsageError, Value, read_yaml, typed
from kiln.lock import forge
from kiln.lock.cmake.reader import Download, read_downloads
from kiln.lock.licenses import read_licenses
from kiln.lock.lockfile import Content
from kiln.lock.parts import Folders, read_parts
from kiln.lock.pinning import Known, Means, UnpinnedError, Wanted, pin
from kiln.lock.starlark.workspace import BUILT_IN, External, needed_externals, read_workspace
from kiln.recipe import Source, for_release

SETTINGS = "lock.yaml"
_SUFFIX = re.compile(r"\.(tar\.[a-z0-9]+|[A-Za-z][A-Za-z0-9]*)$")

AtHand = Callable[[str, Source, str], Union[Path, None]]


@dataclass(frozen=True)
class Take:
    """How the downloads of one group become sources.

    `id` is what the build system calls the group, `name` the source's name where the group is one file.
    `filename` may hold {version}: the file's name without its suffix and a leading v. `moved` is where the
    repository is today.
    """

    id: str
    name: Name | None = None
    filename: str | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    license: str | None = None
    moved: Annotated[str, Field(pattern=r"^https://[^/@\s]+/\S+$")] | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Leave:
    """A group of downloads that the recipe never asks for, and why."""

    id: str
    why: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class LockSettings:
    """How a recipe's lock is made.

    `trees` are the recipe's source trees that are read. `command` is the cmake command that downloads.
    `needed` names, for each device, a file that says which externals its target needs, as Bazel prints them;
    `options` the externals that an option of the recipe adds to those. `licenses` names a file that gives the licence
    of each external. `parts` are folders that options may list.
    """

    reader: Literal["bazel", "cmake"]
    trees: Annotated[tuple[Name, ...], Field(min_length=1)]
    command: Name | None = None
    needed: Mapping[str, RelativePath] = field(default_factory=dict)
    options: Mapping[str, tuple[Name, ...]] = field(default_factory=dict)
    licenses: Annotated[str, Field(pattern=r"^(\.\./)?[\w-]+\.yaml$")] | None = None
    take: tuple[Take, ...] = ()
    leave: tuple[Leave, ...] = ()
    parts: tuple[Folders, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Found:
    """What a reader found: `wanted` must be pinned, `left_out` are names with the reason of each."""

    wanted: tuple[Wanted, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lock:
    """A generated lock: its path and text, what is in it by release, and what a person should know."""

    path: Path
    text: str
    contents: Mapping[str, Content]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return not self.path.exists() or self.path.read_text(encoding="utf-8") != self.text

    def write(self) -> None:
        temporary = self.path.with_suffix(".partial")
        temporary.write_text(self.text, encoding="utf-8")
        temporary.replace(self.path)


@dataclass(frozen=True)
class Generated:
    """A release's part of a lock, and what a person should know about it."""

    content: Content
    notes: tuple[str, ...]


def read_settings(folder: Path, release: str, releases: Collection[str]) -> LockSettings:
    """What the lock.yaml in a recipe's folder says for one of its releases.

    Raises UsageError with file, line and key for what is wrong in it.
    """
    read = for_release(read_yaml(folder / SETTINGS), release, releases)
    found = typed(read, LockSettings)
    problems = []
    if found.reader == "cmake" and not found.command:
        problems.append(read.error(("reader",), "this reader needs the key 'command'"))
    if found.reader == "bazel" and (found.take or found.leave or found.command):
        problems.append(
            read.error(("reader",), "this reader has no keys but 'trees', 'needed', 'options' and 'licenses'")
        )
    named = [external for externals in found.options.values() for external in externals]
    twice = sorted({external for external in named if named.count(external) > 1})
    if twice:
        problems.append(read.error(("options",), f"two options name {', '.join(twice)}: one can"))
    for key, instead in (("options", "when"), ("licenses", "license")):
        if found.reader == "cmake" and getattr(found, key):
            problems.append(read.error((key,), f"this reader has no such key: use {instead!r} under 'take'"))
    if found.reader == "bazel" and len(found.trees) != 1:
        problems.append(read.error(("trees",), "this reader reads one tree"))
    for number, each in enumerate(found.parts):
        if each.tree not in found.trees:
            problems.append(read.error(("parts", number, "tree"), f"{each.tree!r} is not one of 'trees'"))
    if problems:
        raise UsageError("\n".join(problems))
    return found


def generate(
    folder: Path,
    chosen: LockSettings,
    before: Iterable[Content],
    trees: Mapping[str, Path],
    means: Means,
    at_hand: AtHand,
    needed: Mapping[str, Path] | None = None,
) -> Generated:
    """A release's part of the lock in a recipe's folder, from its source trees by name.

    What the lock says `before`, the release's own part last, stays where the trees have not changed. `at_hand` gives
    the folder of an external repository (its name, its source, the folder inside that is its root) whose own
    declarations are needed, or None. `needed` replaces files of lock.yaml, by device.

    Raises UsageError for a tree that cannot be read, SourceError that lists what cannot be pinned.
    """
    known = Known.of(source for content in before for source in content.sources)
    if chosen.reader == "bazel":
        files = {**{device: folder / file for device, file in chosen.needed.items()}, **(needed or {})}
        found = _licensed(
            _read_bazel(trees[chosen.trees[0]], files, chosen.options, known, means, at_hand),
            read_licenses(folder / chosen.licenses) if chosen.licenses else {},
        )
    else:
        found = _read_cmake([trees[name] for name in chosen.trees], chosen)
    sources: list[Source] = []
    unpinned: dict[str, str] = {}
    for wanted in found.wanted:
        try:
            sources.append(pin(wanted, known, means))
        except UnpinnedError as error:
            unpinned[wanted.name] = str(error)
    if unpinned:
        lines = [f"{name}: {why}" for name, why in sorted(unpinned.items())]
        raise SourceError(
            f"{len(unpinned)} of {len(found.wanted)} downloads cannot be pinned:\n  "
            + "\n  ".join(lines)
            + "\nput the files, under any names, into a folder and name it with --folder, or mirrors of the "
            "repositories in KILN_GIT_MIRRORS"
        )
    parts = read_parts(trees, chosen.parts)
    return Generated(Content(tuple(sources), found.left_out, parts), found.notes)


# --- Bazel --------------------------------------------------------------------------------------------------


def _read_bazel(
    tree: Path,
    needed: Mapping[str, Path],
    options: Mapping[str, tuple[str, ...]],
    known: Known,
    means: Means,
    at_hand: AtHand,
) -> Found:
    names = {device: needed_externals(_text(file)) for device, file in needed.items()}
    option_of = {external: option for option, externals in options.items() for external in externals}
    notes: list[str] = []

    def folder(externals: tuple[External, ...]) -> Path | None:
        external = externals[0]
        try:
            source = pin(_wanted(external, {}), known, means)
        except UnpinnedError as error:
            source = None
            notes.append(f"{external.repository}: {error}")
        return at_hand(external.repository, source, external.strip_prefix) if source else None

    workspace = read_workspace(tree, folder)
    blocked = workspace.blocked_by()
    if blocked:
        raise SourceError(
            f"what the workspace takes over from {', '.join(blocked)} is not known, because these "
            "repositories are missing",
            "put their trees, or links to them, under these names in a folder "
            "and name it with --repositories (`$(bazel info output_base)/external` is such a folder)",
        )
    declared = {each.repository for each in workspace.externals} | {*workspace.local, *BUILT_IN}
    for device, listed in names.items():
        undeclared = ", ".join(sorted(listed - declared))
        if undeclared:
            notes.append(f"{needed[device]} names what the workspace does not declare: {undeclared}")
    for option, externals in options.items():
        undeclared = ", ".join(sorted(set(externals) - declared))
        if undeclared:
            notes.append(f"{SETTINGS}, {option}: the workspace does not declare {undeclared}")
    wanted: list[Wanted] = []
    left_out: dict[str, str] = {}
    for external in workspace.externals:
        devices = tuple(device for device in names if external.repository in names[device])
        chooser = option_of.get(external.repository)
        if chooser and not devices:
            wanted.append(_wanted(external, {chooser: (True,)}))
            continue
        # What no target needs is worth a pin, but neither an error nor the host of a package repository.
        if names and not devices and not external.sha256:
            left_out[external.name] = "the workspace records no hash, and no target needs it"
        elif names and not devices and all(forge.pooled(url) for url in external.urls):
            left_out[external.name] = "a package of Java or Debian, and no target needs it"
        else:
            wanted.append(_wanted(external, {"device": devices} if names else {}))
    return Found(tuple(wanted), left_out, tuple(dict.fromkeys(notes)))


def _wanted(external: External, when: Mapping[str, tuple[Value, ...]]) -> Wanted:
    suffix = _SUFFIX.search(external.urls[0].rsplit("/", 1)[-1]) if external.urls else None
    return Wanted(
        name=external.name,
        urls=external.urls,
        sha256=external.sha256,
        folder=external.strip_prefix,
        checkout=(external.remote, external.reference) if external.remote else None,
        when=when,
        # Archives of different repositories may have one name, such as v1.0.tar.gz.
        filename=_filename(external.name, suffix[0] if suffix else ".tar.gz" if external.remote else ""),
    )


def _filename(name: str, suffix: str) -> str:
    return name if name.endswith(suffix) else name + suffix


def _licensed(found: Found, licenses: Mapping[str, str]) -> Found:
    return replace(
        found, wanted=tuple(replace(each, license=licenses.get(each.name)) for each in found.wanted)
    )


# --- cmake --------------------------------------------------------------------------------------------------


def _read_cmake(trees: list[Path], chosen: LockSettings) -> Found:
    take = {each.id: each for each in chosen.take}
    leave = {each.id: each.why for each in chosen.leave}
    downloads = [each for tree in trees for each in read_downloads(tree, chosen.command or "")]
    left_out = {f"{each.id} ({each.filename})": leave[each.id] for each in downloads if each.id in leave}
    wanted: dict[str, Wanted] = {}
    for each in downloads:
        if each.id in leave:
            continue
        made = _download(each, take.get(each.id, Take(each.id)))
        if wanted.setdefault(made.name, made) != made:
            raise UsageError(
                f"{each.place}: {each.filename} is another download of the name {made.name}, which is taken",
                f"give one of them a name in {SETTINGS}",
            )
    stale = sorted((set(take) | set(leave)) - {each.id for each in downloads})
    notes = (f"{SETTINGS} speaks of what the trees do not download: {', '.join(stale)}",) if stale else ()
    return Found(tuple(wanted.values()), left_out, notes)


def _download(download: Download, take: Take) -> Wanted:
    version = re.sub(r"^v(?=\d)", "", _SUFFIX.sub("", download.filename))
    return Wanted(
        name=_name(download, take),
        urls=tuple(_urls(download.url, take.moved)),
        md5=download.md5,
        when=take.when,
        license=take.license,
        filename=take.filename.replace("{version}", version) if take.filename else None,
    )


def _name(download: Download, take: Take) -> str:
    """The source's name: the one that was chosen, else the file's without its suffix."""
    return take.name or _SUFFIX.sub("", download.filename).replace("_", "-").lower()


def _urls(url: str, moved: str | None) -> Iterator[str]:
    archive = forge.archive(url) if moved else None
    if moved and archive:
        yield forge.at(moved, archive.reference, archive.format)[0]
    yield url


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read ({error})", "write what Bazel's query printed there"
        ) from error
