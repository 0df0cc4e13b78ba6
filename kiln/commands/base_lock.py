"""`./inv lock --base NAME`: from the lists of packages to the lock of a base, and the digests of its images."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kiln import lock, sources
from kiln.archive import debs
from kiln.commands.printing import megabytes, short_path
from kiln.core import (
    Console,
    DifferenceError,
    EngineError,
    Home,
    SourceError,
    UsageError,
    give,
    hash_into,
    sha256_of,
)
from kiln.engine import Mount, Run, connect, start, toolchain
from kiln.plan import Limits
from kiln.recipe import Base, BaseLock, DebianOrigin, RegistryImage, Source, bases
from kiln.sources import FetchSettings, Vault, debian

RESOLVED = "/kiln/resolve"


def run(root: Path, name: str, check: bool, home: Home, settings: FetchSettings, console: Console) -> None:
    """Write the lock of a base, or with `check` only compare it, and print which packages moved.

    Raises SourceError where the archive is not signed or does not have a package, DifferenceError where `check` finds
    another lock, EngineError where an image cannot be made.
    """
    base = bases.base(root, name)
    wanted = bases.wanted_images(
        base, {each: bases.toolchain_packages(root, each) for each in bases.toolchains(root)}
    )
    path = bases.lock_path(root, name)
    before = bases.base_lock(root, name) if path.exists() else None
    with home.in_use(console), connect(settings.environment) as engine:
        maker = toolchain.Maker(root, engine, home, settings, console)
        with console.station("resolve"):
            beginning = _beginning(maker, base, before)
            record = _status(base, beginning)
            resolved = _resolve(maker, base, before, wanted, beginning, record)
        with console.station("sources"):
            registry = RegistryImage(base.image, beginning.name) if base.image and beginning else None
            made = lock.base.combined(
                resolved, _sha1s(maker, resolved), registry, lock.base.installed(record)
            )
        roots: dict[str, str] = {}
        left: dict[str, dict[str, str]] = {}
        with console.station("images"):
            for image in (each for each in wanted if each != bases.BASE):
                roots[image], left[image] = _image(maker, base, made, image)
    text = lock.base.render(name, made, roots)
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    for line in lock.base.moved(before, made):
        console.say(line)
    if changed and check:
        raise DifferenceError(
            "this lock is not what Debian's archive and the lists of packages give today",
            f"run `./inv lock --base {name}` and look at the difference",
            where=str(path),
        )
    if not check:
        for file, content in ((path, text), (bases.made_path(root, name), bases.made_text(name, left))):
            partial = file.with_suffix(".partial")
            partial.write_text(content, encoding="utf-8")
            partial.replace(file)
    size = megabytes(sum(package.size for package in made.packages))
    say = Console.for_output().say
    say(
        f"{short_path(path)}: {len(made.packages)} packages, {size} MB, {'changed' if changed else 'as it was'}"
    )
    for image, digest in roots.items():
        say(f"  {digest}  {image}")


def _resolve(
    maker: toolchain.Maker,
    base: Base,
    before: BaseLock | None,
    wanted: Mapping[str, tuple[str, ...]],
    beginning: Path | None,
    record: str,
) -> lock.base.Resolved:
    """What apt makes of the lists.

    It runs in the image that the base starts from, else in the base's own runtime image, and for the first lock of such
    a base on this machine.
    """
    if maker.settings.offline:
        raise SourceError(
            "a base is locked by Debian's archive as it is today", "run again without --offline"
        )
    mirror = next(iter(debian.mirrors(maker.settings.environment)), "")
    if not mirror:
        raise SourceError(
            "this machine knows no archive of Debian", "set KILN_DEBIAN_MIRROR to the address of a mirror"
        )
    with tempfile.TemporaryDirectory(dir=maker.home.work) as work:
        folder = Path(work) / "resolve"
        folder.mkdir()
        lock.base.ask(folder, base, wanted, mirror, _keyring(maker.settings.environment), record)
        script = maker.root / toolchain.SCRIPTS / "resolve.sh"
        lines: list[str] = []
        with maker.console.status(f"asking {sources.host(mirror)}") as line:

            def listen(text: str) -> None:
                line(text)
                lines.append(text)

            image = before.image(base.name, bases.RUNTIME) if before else None
            tag = ""
            if beginning:
                tag = f"{toolchain.IMAGES}{base.name}-start:{beginning.name[:32]}"
                maker.take(beginning, tag)
            elif before and image:
                tag = maker.ensure(before, image)
            if tag:
                give(folder, maker.engine.owner, all_inside=True)
                status = maker.engine.run(
                    Run(
                        tag,
                        ("/bin/sh", "/kiln/resolve.sh", RESOLVED),
                        "resolve",
                        mounts=(Mount(script, "/kiln/resolve.sh"), Mount(folder, RESOLVED, writable=True)),
                        limits=Limits(network="host"),
                        environment=_proxies(maker.settings.environment),
                    ),
                    listen,
                )
                if beginning:
                    maker.engine.remove_image(tag)
            elif shutil.which("apt-get"):
                done = subprocess.run(
                    ["sh", script, folder],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                )  # fmt: skip
                status = done.returncode
                lines += done.stdout.splitlines()
            else:
                raise EngineError(
                    f"the first lock of the base {base.name} needs apt-get", "make it on Debian or Ubuntu"
                )
        if status:
            raise lock.base.refused(lines, mirror)
        return lock.base.answer(folder, base, wanted)


def _beginning(maker: toolchain.Maker, base: Base, before: BaseLock | None) -> Path | None:
    """The root file system that a base starts from; None where it starts from nothing."""
    if base.image is None:
        return None
    known = before.registry if before else None
    at = (maker.engine, maker.home, maker.settings, maker.console)
    return start.obtain(known, *at) if known and known.image == base.image else start.pull(base.image, *at)


def _status(base: Base, beginning: Path | None) -> str:
    """What dpkg has recorded in the root file system that a base starts from."""
    found = debs.status(beginning) if beginning else ""
    if beginning and not found:
        raise UsageError(
            f"the base {base.name} cannot start from {base.image}, which has no packages of dpkg",
            "name an image of Debian",
        )
    return found


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxies of this machine and of its apt, as the variables that apt in a container goes by."""
    own = {name.lower(): value for name, value in sources.route.proxies(environment).items()}
    of_apt = debian.route(environment).proxies
    return {
        **own,
        **{f"{scheme}_proxy": of_apt[scheme] for scheme in ("http", "https") if of_apt.get(scheme)},
    }


def _keyring(environment: Mapping[str, str]) -> Path | None:
    """The keys that may sign a suite, where KILN_DEBIAN_KEYRING names some; UsageError where it is no file."""
    given = environment.get("KILN_DEBIAN_KEYRING", "")
    if given and not Path(given).is_file():
        raise UsageError(
            f"KILN_DEBIAN_KEYRING is {given}, which is not a file", "name a keyring of GnuPG, or unset it"
        )
    return Path(given) if given else None


def _sha1s(maker: toolchain.Maker, resolved: lock.base.Resolved) -> Callable[[lock.base.Found], str]:
    """The sha1 of each package that was found, once all are in the vault."""
    found = {each.sha256: each for image in resolved.images.values() for each in image}
    wanted = [
        Source(each.name, (DebianOrigin(each.pool, each.sha256, each.size),)) for each in found.values()
    ]
    with maker.console.transfers() as transfers:
        obtained = sources.obtain(wanted, Vault(maker.home.sources), maker.settings, transfers)
    paths = {each.path.name: each.path for each in obtained}

    def sha1_of(package: lock.base.Found) -> str:
        with paths[package.sha256].open("rb", buffering=0) as stream:
            return hash_into(stream, hashlib.sha1(usedforsecurity=False))

    return sha1_of


def _image(maker: toolchain.Maker, base: Base, made: BaseLock, name: str) -> tuple[str, dict[str, str]]:
    """The digest of an image's root file system, and what scripts left in it. The image stays in the engine."""
    image = made.made(base.name, name, "")
    files = maker.obtain(made, image)
    with tempfile.TemporaryDirectory(dir=maker.home.work) as folder:
        tar = maker.install(made, image, files, Path(folder))
        digest = sha256_of(tar)
        tag = toolchain.tag_of(replace(image, root=digest))
        if not maker.engine.has_image(tag):
            maker.take(tar, tag)
        return digest, toolchain.made_by_scripts(image, files, tar, maker.start(image))
