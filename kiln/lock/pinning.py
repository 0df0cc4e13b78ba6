"""Downloads that a build system declares, as pinned sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiln.core import Value, md5_of, sha256_of
from kiln.lock import forge
from kiln.recipe import GitOrigin, Origin, PypiOrigin, Source, UrlOrigin


class UnpinnedError(Exception):
    """Why a download cannot be pinned, in a few words."""


@dataclass(frozen=True)
class Wanted:
    """One download. What its build system records of the content is `sha256`, or `md5`, or neither.

    `folder` is the path in the archive that is used. `checkout` is set instead of `urls` for a commit that is
    checked out with git: the repository, and the commit or tag.
    """

    name: str
    urls: tuple[str, ...] = ()
    sha256: str = ""
    md5: str = ""
    folder: str = ""
    checkout: tuple[str, str] | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    license: str | None = None
    filename: str | None = None


@dataclass(frozen=True)
class Known:
    """What the lock says so far, which stays as it is wherever the source tree has not changed."""

    by_url: Mapping[str, UrlOrigin]
    by_name: Mapping[str, Source]
    commits: Mapping[tuple[str, str, str, str], str]
    sizes: Mapping[str, int]

    @classmethod
    def of(cls, sources: Iterable[Source]) -> Known:
        origins = [(source, origin) for source in sources for origin in source.origins]
        return cls(
            by_url={origin.url: origin for _, origin in origins if isinstance(origin, UrlOrigin)},
            by_name={source.name: source for source, _ in origins},
            commits={
                (origin.git, origin.prefix, origin.format, origin.sha256): origin.commit
                for _, origin in origins
                if isinstance(origin, GitOrigin)
            },
            sizes={origin.sha256: origin.size for _, origin in origins if origin.size is not None},
        )


@dataclass(frozen=True)
class Means:
    """What may be asked for what the tree does not say.

    `commit` gives the commit of a repository's tag; `stored` the file with a sha256; `by_md5` the file of a
    download that is wanted by its MD5; `export` the sha256 of an archive of a commit, and the digest of the
    tree in a folder of it. Each gives None where it cannot.
    """

    commit: Callable[[str, str], str | None]
    stored: Callable[[str], Path | None]
    by_md5: Callable[[Wanted], Path | None]
    export: Callable[[forge.Archive, str, str], tuple[str, str] | None]


def pin(wanted: Wanted, known: Known, means: Means) -> Source:
    """The source for a download; UnpinnedError says why there is none."""
    if wanted.checkout:
        return _checkout(wanted, known, means)
    sha256, size = _content(wanted, known, means)
    return Source(
        name=wanted.name,
        origins=tuple(_origins(wanted, sha256, size, known, means)),
        when=wanted.when,
        license=wanted.license,
        filename=wanted.filename,
    )


def _content(wanted: Wanted, known: Known, means: Means) -> tuple[str, int | None]:
    """The sha256 and, where it is known, the size of a download."""
    if wanted.sha256:
        return wanted.sha256, known.sizes.get(wanted.sha256)
    if not wanted.md5:
        raise UnpinnedError("the tree records no hash of it")
    for url in wanted.urls:
        origin = known.by_url.get(url)
        file = means.stored(origin.sha256) if origin else None
        if origin and (file is None or md5_of(file) == wanted.md5):
            return origin.sha256, origin.size
    file = means.by_md5(wanted)
    if file is None:
        raise UnpinnedError(f"no file with the MD5 {wanted.md5} is available; it is at {wanted.urls[0]}")
    return sha256_of(file), file.stat().st_size


def _origins(wanted: Wanted, sha256: str, size: int | None, known: Known, means: Means) -> Iterable[Origin]:
    """The places of a file in the tree's order, then the repository that it is an archive of."""
    archives = [found for url in wanted.urls if (found := forge.archive(url, wanted.folder))]
    packages: set[tuple[str, str]] = set()
    for url in wanted.urls:
        package = forge.package(url)
        if package is None:
            yield UrlOrigin(url=url, sha256=sha256, size=size)
        elif package not in packages:
            packages.add(package)
            yield PypiOrigin(pypi=package[0], file=package[1], sha256=sha256, size=size)
    for archive in archives[:1]:
        commit = (
            archive.commit
            or known.commits.get((archive.repository, archive.prefix, archive.format, sha256))
            or means.commit(archive.repository, archive.reference)
        )
        if commit:
            yield _git(archive, commit, sha256, size=size)


def _checkout(wanted: Wanted, known: Known, means: Means) -> Source:
    """A commit that git would check out, as the tree in the forge's archive of it."""
    assert wanted.checkout is not None  # noqa: S101  (for the type checker)
    remote, reference = wanted.checkout
    try:
        url, archive = forge.at(remote, reference)
    except ValueError as error:
        raise UnpinnedError(f"{remote} is not on a forge whose archives are known") from error
    member = "/".join(part for part in (archive.prefix.strip("/"), wanted.folder) if part)
    before = known.by_name.get(wanted.name)
    if before and before.tree and isinstance(before.origins[0], UrlOrigin) and before.origins[0].url == url:
        origins, tree = before.origins, before.tree
    else:
        commit = archive.commit or means.commit(archive.repository, reference)
        made = means.export(archive, commit, member) if commit else None
        if commit is None or made is None:
            raise UnpinnedError(f"no mirror of {archive.repository} at {reference} is available")
        sha256, tree = made
        origins = (
            UrlOrigin(url=url, sha256=sha256, member=member),
            _git(archive, commit, sha256, member=member),
        )
    return Source(
        name=wanted.name, origins=origins, tree=tree, when=wanted.when, license=wanted.license,
        filename=wanted.filename,
    )  # fmt: skip


def _git(
    archive: forge.Archive, commit: str, sha256: str, size: int | None = None, member: str | None = None
) -> GitOrigin:
    return GitOrigin(
        git=archive.repository, commit=commit, prefix=archive.prefix, format=archive.format, sha256=sha256,
        size=size, member=member,
    )  # fmt: skip
