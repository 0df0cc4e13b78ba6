"""The base root file system and the images built on it, each named by the digest of what it is made from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.core import Console, EngineError, Home
from kiln.plan import Plan
from kiln.recipe import Base

if TYPE_CHECKING:
    from kiln.engine.engine import Engine

# Every image of Kiln's has a tag that begins so.
IMAGES = "localhost/kiln/"


@dataclass(frozen=True)
class Images:
    """The tags of a build's images, and where its base came from."""

    runtime: str
    toolchain: str
    base: str


def ensure(root: Path, plan: Plan, engine: Engine, home: Home, console: Console, offline: bool) -> Images:
    """The images of a plan, built where they are not there yet.

    Raises EngineError where the base cannot be bootstrapped or an image cannot be built.
    """
    images = images_of(plan)
    with home.lock(f"toolchain-{plan.toolchain.digest[:16]}", console):
        if not engine.has_image(images.runtime) or not engine.has_image(images.toolchain):
            if offline:
                raise EngineError(
                    f"the toolchain image {images.toolchain} is not on this machine, and --offline forbids "
                    "to make it",
                    "run once without --offline",
                )
            _ensure_base(plan.toolchain.base, images.base, engine, home, console)
            folder = (root / plan.toolchain.dockerfile.path).parent
            arguments = {"BASE": images.base}
            if plan.toolchain.compiler:
                arguments["COMPILER"] = plan.toolchain.compiler
            for target, tag in (("runtime", images.runtime), ("toolchain", images.toolchain)):
                with console.status(f"building the image {target} ({folder.name})") as line:
                    engine.build(folder, target, arguments, tag, line)
    return images


def images_of(plan: Plan) -> Images:
    """The tags of a plan's images, whether they are there or not."""
    digest = plan.toolchain.digest[:16]
    name = f"{IMAGES}{plan.toolchain.name}"
    return Images(f"{name}-runtime:{digest}", f"{name}-toolchain:{digest}", base_tag(plan.toolchain.base))


def base_tag(base: Base) -> str:
    """The tag of a base's image."""
    identity = base.image.rpartition(":")[2] if base.image else f"bootstrap-{base.suite}"
    return f"{IMAGES}base-{base.name}:{identity[:32]}"


def _ensure_base(base: Base, tag: str, engine: Engine, home: Home, console: Console) -> None:
    with home.lock(f"base-{base.name}", console):
        if engine.has_image(tag):
            return
        if base.image:
            with console.status(f"pulling {base.image}"):
                if engine.pull(base.image, tag):
                    return
            console.note(f"no registry gives {base.image}: bootstrapping {base.suite} instead")
        archive = home.work / f"base-{base.name}.tar"
        try:
            with console.status(f"bootstrapping {base.suite} from Debian's signed archive"):
                bootstrap(base.suite, archive, os.environ)
                engine.import_root(archive, tag)
        finally:
            archive.unlink(missing_ok=True)


def bootstrap(suite: str, archive: Path, environment: Mapping[str, str]) -> None:
    """A minimal root file system of a Debian suite as a tar, by mmdebstrap, which checks the signatures.

    `KILN_DEBIAN_MIRROR` names a mirror of the archive. Raises EngineError where it fails.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise EngineError(
            "mmdebstrap, which makes the base root file system, is not installed",
            "run `apt-get install mmdebstrap`, or run again with --setup",
        )
    mirror = environment.get("KILN_DEBIAN_MIRROR")
    command = [program, "--variant=minbase", "--include=ca-certificates", suite, str(archive)]
    done = subprocess.run(
        [*command, mirror] if mirror else command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        # mmdebstrap unpacks into a folder that other users must be able to pass.
        env={**environment, "TMPDIR": "/var/tmp"},  # noqa: S108
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["it gave no reason"]
        raise EngineError(
            f"{suite} could not be bootstrapped from Debian's archive ({lines[0]})",
            "check the network, or set KILN_DEBIAN_MIRROR to a mirror that you reach",
        )
