"""The lock of a base: what its lists of packages come to in Debian's archive, as apt resolves them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from kiln.core import SourceError, sha256_of
from kiln.lock.layout import laid_out
from kiln.recipe import Base, BaseLock, Installed, Package, RegistryImage, bases

_LINE = re.compile(r"'(\S+)' ([^_\s]+)_([^_\s]+)_([a-z0-9]+)\.deb (\d+) SHA256:([0-9a-f]{64})")


# A package, and a suite, is one line of the lock.
_WIDTH = 1000


@dataclass(frozen=True)
class Found:
    """A package that apt would fetch, before anything but its sha256 is known."""

    name: str
    version: str
    arch: str
    pool: str
    size: int
    sha256: str
    suite: str


@dataclass(frozen=True)
class Resolved:
    """What apt found: the suite as it is today, and for each image its packages."""

    suite: bases.Suite
    images: Mapping[str, tuple[Found, ...]]


def ask(
    folder: Path,
    base: Base,
    wanted: Mapping[str, Sequence[str]],
    mirror: str,
    keyring: Path | None = None,
    status: str = "",
) -> None:
    """Write what docker/base/resolve.sh reads into a folder: every list, and the suite that it uses.

    `keyring` has the keys that may sign a suite; without it these are Debian's own, where the script runs. `status` is what
    dpkg has recorded of the packages that the images start from.
    """
    (folder / "status").write_text(status, encoding="utf-8")

    if keyring:
        shutil.copyfile(keyring, folder / "keyring.gpg")
    (folder / "wanted").mkdir()
    (folder / "sources.list").write_text(f"deb [arch=amd64] {mirror} {base.suite} main\n", encoding="utf-8")
    for image, wishes in wanted.items():
        (folder / "wanted" / f"{image}.packages").write_text("\n".join(wishes), encoding="utf-8")


def answer(folder: Path, base: Base, wanted: Mapping[str, Sequence[str]]) -> Resolved:
    """What docker/base/resolve.sh has left in a folder. Raises SourceError where it is not what was asked for."""
    name = base.suite
    file = next((folder / "lists").glob(f"*_dists_{name}_InRelease"), None)
    if file is None:
        raise SourceError(f"the mirror has no InRelease of {name}", "use another mirror")
    date = re.search(r"^Date: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    if date is None:
        raise SourceError(f"the InRelease of {name} has no date", "use another mirror")
    moment = parsedate_to_datetime(date[1]).astimezone(timezone.utc)
    suite = bases.Suite(name, f"{moment:%Y-%m-%dT%H:%M:%SZ}", sha256_of(file))
    images = {image: _found((folder / "found" / image).read_text(encoding="utf-8"), name) for image in wanted}
    return Resolved(suite, images)


def refused(said: Sequence[str], mirror: str) -> SourceError:
    """Why docker/base/resolve.sh did not do what it was asked for, from the lines that it printed."""
    lines = [line for line in said if line.startswith(("E:", "W:", "Err:", " "))] or said[-5:]

    def says(*parts: str) -> bool:
        return any(part in line for line in lines for part in parts)

    if says("EXPKEYSIG", "KEYEXPIRED", "is expired"):
        what = f"the signature of a suite at {mirror} has expired, so that nothing says any more which packages are right"
        cure = "leave the lock as it is, which stays valid, or move the base to a suite that is still signed"
    elif says("is not signed", "NO_PUBKEY", "BADSIG"):
        what = f"a suite at {mirror} is not signed by a key that is trusted"
        cure = "set KILN_DEBIAN_MIRROR to another mirror, or KILN_DEBIAN_KEYRING to a keyring that has the archive's keys"
    elif says("Hash Sum mismatch", "unexpected size"):
        what = f"an index at {mirror} is not the one that its signed Release lists"
        cure = "wait until the mirror is complete, or set KILN_DEBIAN_MIRROR to another"
    else:
        what = f"apt cannot resolve the lists of packages with {mirror}"
        cure = "correct the lists, or set KILN_DEBIAN_MIRROR to another mirror"
    return SourceError(what, cure, detail="\n".join(f"  {line}" for line in lines))


def _found(text: str, suite: str) -> tuple[Found, ...]:
    """The packages in apt's lines of what it would fetch from a suite."""
    rows = [line for line in text.splitlines() if line.startswith("'")]
    found = []
    for row in rows:
        match = _LINE.fullmatch(row)
        if match is None or "/pool/" not in match[1]:
            raise SourceError(f"apt's line {row!r} does not say what it would fetch", "use another mirror")
        url, name, version, arch, size, sha256 = match.groups()
        pool = "pool/" + unquote(url).partition("/pool/")[2]
        found.append(Found(name, unquote(version), arch, pool, int(size), sha256, suite))
    return tuple(sorted(found, key=lambda each: (each.name, each.arch)))


def installed(status: str) -> tuple[Installed, ...]:
    """The packages that dpkg has recorded as installed, sorted."""
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version|Architecture): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" ok installed"):
            found.append(Installed(fields["Package"], fields["Version"], fields["Architecture"]))
    return tuple(sorted(found, key=lambda each: (each.name, each.arch)))


def combined(
    resolved: Resolved,
    sha1_of: Callable[[Found], str],
    registry: RegistryImage | None = None,
    there: tuple[Installed, ...] = (),
) -> BaseLock:
    """The lock without the digests of its images; what several images share stands once.

    `sha1_of` gives the sha1 of a package's file, `there` are the packages of the image `registry`. Raises SourceError
    where a toolchain with further packages does not have all that it has without them.
    """
    images: dict[Found, set[str]] = {}
    for image, found in resolved.images.items():
        for each in found:
            images.setdefault(each, set()).add(image)
    packages = [
        Package(
            name=each.name, version=each.version, arch=each.arch, suite=each.suite, pool=each.pool,
            size=each.size, sha256=each.sha256, sha1=sha1_of(each), images=_least(there),
        )
        for each, there in images.items()
    ]  # fmt: skip
    packages.sort(key=lambda each: (each.name, each.version, each.arch))
    lock = BaseLock((resolved.suite,), (), tuple(packages), "", registry, there)
    for image, found in resolved.images.items():
        wanted = {each.sha256 for each in found}
        other = [each.name for each in packages if lock.contains(each, image) != (each.sha256 in wanted)]
        if other:
            raise SourceError(
                f"apt chooses other packages for the image {image} than for those below it ({', '.join(other)})",
                "name in its list which of them are wanted",
            )
    return lock


def _least(images: set[str]) -> tuple[str, ...]:
    """The fewest images that stand for all of these: what a toolchain has, its further images have, too."""
    for whole in (bases.BASE, bases.RUNTIME):
        if whole in images:
            return (whole,)
    return tuple(sorted(image for image in images if images.isdisjoint(bases.below_image(image))))


def render(name: str, lock: BaseLock, roots: Mapping[str, str]) -> str:
    """The lock file's text, with the digest of each image's root file system and the seal."""
    start = {
        "registry": asdict(lock.registry),
        "installed": [asdict(each) for each in lock.installed],
    } if lock.registry else {}  # fmt: skip
    value: dict[str, Any] = {
        **start,
        "suites": [asdict(each) for each in lock.suites],
        "images": [asdict(bases.Root(image, root)) for image, root in sorted(roots.items())],
        "packages": [{**asdict(each), "images": list(each.images)} for each in lock.packages],
    }
    head = (
        f"# Generated by `./inv lock --base {name}`: change base.yaml or a toolchain's packages.yaml, not this file,\n"
        "# and run that again.\n"
    )
    return head + laid_out({"seal": bases.seal(value), **value}, _WIDTH) + "\n"


def moved(before: BaseLock | None, after: BaseLock) -> list[str]:
    """What a person should look at in a lock that has changed: one line for each package that moved."""

    def versions(lock: BaseLock | None) -> dict[tuple[str, str], Package]:
        return {(each.name, each.suite): each for each in lock.packages} if lock else {}

    old, new = versions(before), versions(after)
    was_from, now_from = (each.registry.image if each and each.registry else "" for each in (before, after))
    lines = [f"  image {was_from or 'none'} -> {now_from or 'none'}"] if was_from != now_from else []
    were, are = (
        {each.name: each.version for each in lock.installed} if lock else {} for lock in (before, after)
    )
    lines += [
        f"  {name} of the image: {were.get(name, 'none')} -> {are.get(name, 'none')}"
        for name in sorted({*were, *are})
        if were.get(name) != are.get(name)
    ]
    for key in sorted({*old, *new}):
        was, now = old.get(key), new.get(key)
        if was is None and now:
            lines.append(f"+ {now.name} {now.version}")
        elif was and now is None:
            lines.append(f"- {was.name} {was.version}")
        elif was and now and was.version != now.version:
            lines.append(f"  {now.name} {was.version} -> {now.version}")
        elif was and now and was.sha256 != now.sha256:
            lines.append(f"! {now.name} {now.version} is another file under the same version")
        elif was and now and was.images != now.images:
            lines.append(f"  {now.name} is in {', '.join(now.images)} instead of {', '.join(was.images)}")
    return lines
