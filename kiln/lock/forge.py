"""What a URL says about the file behind it: the commit it is an archive of, or the package it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_COMMIT = re.compile(r"[0-9a-f]{40}")
# The forge's host may stand behind a mirror's: https://mirror.example/github.com/owner/repo/archive/….
_GITHUB = re.compile(r"/(github\.com)/([\w.-]+)/([\w.-]+)/archive/(?:refs/tags/)?(\S+?)\.(tar\.gz|tgz|zip)$")
_GITLAB = re.compile(r"/(gitlab\.com)/([\w./-]+?)/([\w.-]+)/-/archive/([^/\s]+)/[^/\s]+\.(tar\.gz|zip)$")
# Package indexes keep files under …/packages/, by the project's name or by a hash.
_BY_PROJECT = re.compile(r"/packages/source/[\w.-]/([\w.-]+)/([\w.+-]+)$")
_BY_HASH = re.compile(r"/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/([\w.+-]+)$")
# Where Java's and Debian's packages lie in their repositories and in all mirrors of them.
_POOL = re.compile(r"/maven2/|/debian/pool/")


@dataclass(frozen=True)
class Archive:
    """A forge's archive of a commit or tag: `prefix` is the folder in it, with a slash."""

    repository: str
    reference: str
    prefix: str
    format: Literal["tar.gz", "zip"]

    @property
    def commit(self) -> str | None:
        """The commit, where the reference is one."""
        return self.reference if _COMMIT.fullmatch(self.reference) else None


def archive(url: str, folder: str = "") -> Archive | None:
    """The archive that a URL asks a forge for; None for another URL.

    `folder` is the path in the archive where that is known: a forge names it by the repository as it is
    called today, which the URL may not be.
    """
    found = _GITHUB.search(url) or _GITLAB.search(url)
    if not found:
        return None
    host, owner, name, reference, suffix = found.groups()
    name = name.removesuffix(".git")
    version = re.sub(r"^v(?=\d)", "", reference) if host == "github.com" else reference
    return Archive(
        repository=f"https://{host}/{owner}/{name}",
        reference=reference,
        prefix=(folder.strip("/").split("/")[0] or f"{name}-{version.replace('/', '-')}") + "/",
        format="zip" if suffix == "zip" else "tar.gz",
    )


def at(repository: str, reference: str, format: Literal["tar.gz", "zip"] = "tar.gz") -> tuple[str, Archive]:
    """The URL of the archive that GitHub makes of a commit or tag, and what it is."""
    url = f"{repository.removesuffix('.git')}/archive/{reference}.{format}"
    made = archive(url)
    if made is None:
        raise ValueError(f"{repository} is not a repository whose archives are known")
    return url, made


def package(url: str) -> tuple[str, str] | None:
    """The project and the file of a package index's URL, whichever host it is on; None for another URL."""
    if found := _BY_PROJECT.search(url):
        return found[1], found[2]
    if found := _BY_HASH.search(url):
        file = found[1]
        project = file.split("-")[0] if file.endswith(".whl") else re.split(r"-(?=\d)", file)[0]
        return project, file
    return None


def pooled(url: str) -> bool:
    """Whether a URL is that of a Java or Debian package, whichever host it is on."""
    return bool(_POOL.search(url))
