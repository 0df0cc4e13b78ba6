"""A base with a few packages that nobody ever fetches, and its lock."""

from __future__ import annotations

from pathlib import Path

from kiln.lock import base
from kiln.recipe.bases import BaseLock, Package, Suite

SUITE = Suite("bookworm", "2026-07-11T10:16:37Z", "1" * 64)
BASE = """\
suite: bookworm
python: "3.11"
glibc: "2.36"
compilers: [9, 10, 11, 12]
packages: [apt]
runtime: [python3]
"""
PACKAGES = """\
packages: [g++]
compilers: {gcc-7: [g++-7], gcc-9: [g++-9], gcc-11: [g++-11]}
"""
IMAGES = ("runtime", "opencv", "opencv+gxx-7", "opencv+gxx-9", "opencv+gxx-11")


def package(name: str, *images: str, version: str = "1.0", sha256: str = "", size: int = 1000) -> Package:
    """A package; its hashes are those of no file unless they are given."""
    pool = f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb"
    digest = sha256 or (name.encode().hex() * 64)[:64]
    return Package(name, version, "amd64", "bookworm", pool, size, digest, digest[:40], images)


LOCKED = (
    package("apt", "base"),
    package("python3", "runtime"),
    package("g++", "opencv"),
    *(package(f"g++-{version}", f"opencv+gxx-{version}") for version in (7, 9, 11)),
)


def lock_text(*packages: Package, **roots: str) -> str:
    """The lock of these packages; `roots` are digests of images' root file systems, of which each has one by default."""
    digests = {name: (name.encode().hex() * 64)[:64] for name in IMAGES}
    return base.render("bookworm", BaseLock((SUITE,), (), packages or LOCKED), {**digests, **roots})


def files() -> dict[str, str]:
    """The files of a repository, by path."""
    return {
        "recipes/bases/bookworm/base.yaml": BASE,
        "recipes/bases/bookworm/lock.yaml": lock_text(),
        "docker/opencv/packages.yaml": PACKAGES,
    }


def write(root: Path, **changed: str) -> None:
    """Write them into a repository."""
    for name, text in {**files(), **changed}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
