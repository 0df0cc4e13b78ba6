"""Sources: pinned inputs, and the origins that serve them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Union
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag

from kiln.core import (
    STRICT,
    Commit,
    Name,
    NpmName,
    RelativePath,
    Script,
    Sha256,
    Size,
    Value,
    inside,
    with_host,
)


@dataclass(frozen=True)
class UrlOrigin:
    """A file at a URL (http or https). Origins of all other kinds have an empty `url`."""

    url: Annotated[str, Field(pattern=r"^https?://[^/@\s]+/\S*$"), AfterValidator(with_host)]
    sha256: Sha256
    size: Size | None = None
    member: RelativePath | None = None

    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return urlsplit(self.url).path.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class PypiOrigin:
    """A file of a Python package index, found through the user's own pip configuration."""

    pypi: Name
    file: Name
    sha256: Sha256
    size: Size | None = None
    member: RelativePath | None = None

    url: ClassVar[str] = ""
    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return self.file

    def __str__(self) -> str:
        return f"pypi: {self.pypi}, {self.file}"


@dataclass(frozen=True)
class NpmOrigin:
    """A package's tarball in a registry of npm packages, found through the user's own npm configuration."""

    npm: NpmName
    version: Name
    sha256: Sha256
    size: Size | None = None
    member: RelativePath | None = None

    url: ClassVar[str] = ""
    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return f"{posixpath.basename(self.npm)}-{self.version}.tgz"

    def __str__(self) -> str:
        return f"npm: {self.npm}, {self.version}"


@dataclass(frozen=True)
class GitOrigin:
    """A forge's archive, recreated from the git repository it was made from."""

    git: Annotated[str, Field(pattern=r"^https://[^/@\s]+/\S+$"), AfterValidator(with_host)]
    commit: Commit
    prefix: RelativePath
    format: Literal["tar.gz", "zip"]
    sha256: Sha256
    size: Size | None = None
    member: RelativePath | None = None

    url: ClassVar[str] = ""
    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return f"{self.prefix.strip('/')}.{self.format}"

    def __str__(self) -> str:
        return f"git: {self.git} at {self.commit[:12]}"


@dataclass(frozen=True)
class DebianOrigin:
    """A package of Debian's archive, or the source of one, by its path below an archive's root.

    It is found through the user's own apt.
    `sha1` is its name in the snapshot service, `snapshot` a moment at which that has it under its path.
    """

    debian: Annotated[
        str, Field(pattern=r"^pool/[A-Za-z0-9/._+~-]+\.(deb|orig\.tar\.[a-z0-9]+)$"), AfterValidator(inside)
    ]
    sha256: Sha256
    size: Size | None = None
    member: RelativePath | None = None
    sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    snapshot: Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z$")] | None = None

    url: ClassVar[str] = ""
    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return posixpath.basename(self.debian)

    @property
    def package(self) -> tuple[str, str, str]:
        """Its name, version and architecture, which is `source` for a source."""
        source = re.fullmatch(r"(.+)_(.+)\.orig\.tar\.\w+", self.filename)
        if source:
            return source[1], source[2], "source"
        name, version, arch = f"{self.filename[: -len('.deb')]}__".split("_")[:3]
        return name, version, arch

    def __str__(self) -> str:
        return f"debian: {self.filename}"


@dataclass(frozen=True)
class FolderOrigin:
    """A folder of the repository that the recipe is in, or of it `only` some folders and files.

    A recipe names no digest: those of the archive and of the tree are taken from the checkout when the recipe is loaded.
    """

    folder: RelativePath
    only: tuple[RelativePath, ...] = ()
    sha256: str = ""
    size: Size | None = None
    member: RelativePath | None = None

    url: ClassVar[str] = ""
    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return f"{posixpath.basename(self.folder.rstrip('/'))}.tar"

    def __str__(self) -> str:
        return f"folder: {self.folder}"


@dataclass(frozen=True)
class FileOrigin:
    """A file of this machine that a person gives in place of a source, whose digest is `instead_of`.

    No recipe can name one.
    """

    path: str
    sha256: Sha256
    instead_of: Sha256
    size: Size | None = None
    member: RelativePath | None = None

    url: ClassVar[str] = ""
    __pydantic_config__ = STRICT

    @property
    def filename(self) -> str:
        return posixpath.basename(self.path)

    def __str__(self) -> str:
        return f"file: {self.path}"


# The keys of which an origin in a file has exactly one.
_KINDS = ("url", "pypi", "npm", "git", "debian", "folder")


def _origin_kind(value: Any) -> str | None:
    """The key that says which form an origin has; None where it has none or several."""
    kinds = [kind for kind in _KINDS if isinstance(value, Mapping) and kind in value]
    # Tags are places in errors; these are not keys, so they are left out when a place is printed.
    return f"{kinds[0]} origin" if len(kinds) == 1 else None


Origin = Annotated[
    Union[
        Annotated[UrlOrigin, Tag("url origin")],
        Annotated[PypiOrigin, Tag("pypi origin")],
        Annotated[NpmOrigin, Tag("npm origin")],
        Annotated[GitOrigin, Tag("git origin")],
        Annotated[FileOrigin, Tag("file origin")],
        Annotated[DebianOrigin, Tag("debian origin")],
        Annotated[FolderOrigin, Tag("folder origin")],
    ],
    Discriminator(
        _origin_kind,
        custom_error_type="origin",
        custom_error_message=f"an origin has exactly one of the keys {', '.join(_KINDS)}",
    ),
]


@dataclass(frozen=True)
class Source:
    """One pinned input: a file, or (with `tree`) the folder inside an archive.

    The origins of a file all serve the same bytes, unless it has a `sha256` of its own: then an origin may
    also be an archive, with its own hash, in which the file `member` has that sha256. The origins of a tree
    may be different archives, each with its own hash, as long as the folder `member` inside has the digest
    `tree`.

    A tree that is `packed` is given to the steps as a file: an archive that depends on the tree alone. The
    script `prepare` makes a tree of what the origins hold, in the toolchain; `tree` is then the digest of its
    result. The files `without` are left out of a tree: what no build reads need not be available. `tree_hash` is
    the digest of all that a file unpacks to: a packed tree may stand in for the file where the user accepts
    that.
    """

    name: Name
    origins: Annotated[tuple[Origin, ...], Field(min_length=1)]
    tree: Sha256 | None = None
    sha256: Sha256 | None = None
    tree_hash: Sha256 | None = None
    packed: bool = False
    prepare: Script | None = None
    without: tuple[RelativePath, ...] = ()
    use: Literal["input", "build", "tools", "smoke"] = "input"
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    license: str | None = None
    filename: Name | None = None

    __pydantic_config__ = STRICT

    @property
    def digest(self) -> str:
        """What the source is, whichever origin it comes from: its tree's digest, or its file's sha256."""
        return self.tree or self.sha256 or self.origins[0].sha256

    @property
    def is_file(self) -> bool:
        """Whether the steps find it as a file, and not as a folder."""
        return self.tree is None or self.packed

    @property
    def accepted(self) -> bool:
        """Whether it is a tree that stands in for the file which the recipe pins."""
        return self.tree is not None and self.tree == self.tree_hash

    @property
    def substituted(self) -> bool:
        """Whether it is a file that a person gave in place of what the recipe pins."""
        return isinstance(self.origins[0], FileOrigin)

    @property
    def is_local(self) -> bool:
        """Whether only this machine has it: no mirror is asked."""
        return isinstance(self.origins[0], (FileOrigin, FolderOrigin))

    @property
    def instead_of(self) -> str | None:
        """The digest that the recipe pins, where this is something else; None where it is what is pinned."""
        first = self.origins[0]
        if isinstance(first, FileOrigin):
            return first.instead_of
        return first.sha256 if self.accepted else None

    def accepting_tree(self) -> Source:
        """The source with its tree in place of its file, where the recipe records one."""
        return replace(self, tree=self.tree_hash, packed=True) if self.tree_hash else self

    def given(self, path: str, sha256: str) -> Source:
        """The source with a file of this machine in place of its own, under the same name for the steps."""
        origin = FileOrigin(path, sha256, self.digest)
        return replace(self, origins=(origin,), filename=self.file, sha256=None, tree_hash=None)

    @property
    def file(self) -> str:
        """The name under which build scripts find a file source."""
        first = self.origins[0]
        return self.filename or posixpath.basename((self.sha256 and first.member) or "") or first.filename
