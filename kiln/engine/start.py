"""The root file system of a registry image, which a base may start from, as a file of the vault."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kiln import archive
from kiln.core import Console, DifferenceError, Home, SourceError, sha256_of
from kiln.engine.connection import connect
from kiln.recipe import RegistryImage
from kiln.sources import FetchSettings, Vault

if TYPE_CHECKING:
    from kiln.engine.engine import Engine


def obtain(
    start: RegistryImage, engine: Engine, home: Home, settings: FetchSettings, console: Console
) -> Path:
    """The locked root file system of a registry image, from the vault or the registry.

    Raises SourceError where neither has it, DifferenceError where what the registry has is not what was locked.
    """
    found = Vault(home.sources).get(start.sha256, console.note)
    if found:
        return found
    pulled = pull(start.image, engine, home, settings, console)
    if pulled.name != start.sha256:
        raise DifferenceError(
            f"the root file system of {start.image} has the sha256 {pulled.name} and not {start.sha256}",
            "run the `./inv lock --base` of this base and look at the difference",
        )
    return pulled


def fetch(start: RegistryImage, home: Home, settings: FetchSettings, console: Console) -> Path:
    """The same, with an engine only where the vault does not have it."""
    found = Vault(home.sources).get(start.sha256, console.note)
    if found:
        return found
    with connect(settings.environment) as engine:
        return obtain(start, engine, home, settings, console)


def pull(image: str, engine: Engine, home: Home, settings: FetchSettings, console: Console) -> Path:
    """The root file system of an image as a normal tar in the vault, by its sha256. What was pulled does not stay.

    The image's variables and commands are not taken: builds have their own.
    """
    there = engine.has_image(image)
    if settings.offline and not there:
        raise SourceError(
            f"the image {image} is neither in the vault nor in the container engine, and was not pulled: offline",
            "run again without --offline, or with a bundle",
        )
    vault = Vault(home.sources)
    with tempfile.TemporaryDirectory(dir=home.work) as folder, console.status(f"pulling {image}"):
        exported, normal = Path(folder, "exported.tar"), Path(folder, "normal.tar")
        if not there:
            engine.pull(image)
        engine.export_root(image, exported)
        if not there:
            engine.remove_image(image)
        archive.normalise(exported, normal, 0)
        sha256 = sha256_of(normal)
        vault.add(normal, sha256)
    vault.record_origin(sha256, f"registry: {image}")
    return vault.path(sha256)
