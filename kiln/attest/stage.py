"""The home and the checkout of a rebuild: the vault by hard links, and the files of the repository as git writes them."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from kiln.plan import Plan
from kiln.sources import Obtained, Vault

# What Kiln reads of a checkout beside the folders of the suite.
_FOLDERS = ("kiln", "recipes", "docker", "patches")
# What a vault remembers of its files, in small files.
_RECORDS = ("origins", "trees", "packed")


def link_sources(obtained: Iterable[Obtained], vault: Vault, target: Vault) -> None:
    """Give the vault `target` what is in `vault` of some sources; nothing is copied on the same disk."""
    for each in obtained:
        _link(each.path, target.path(each.path.name))
    for folder in _RECORDS:
        if (vault.root / folder).is_dir():
            for path in (vault.root / folder).iterdir():
                _link(path, target.root / folder / path.name)


def copy_checkout(root: Path, planned: Plan, target: Path, umask: int) -> None:
    """Copy what a build reads of a checkout into the folder `target`, with the modes that git gives under a umask."""
    shutil.rmtree(target, ignore_errors=True)
    for name in (*_FOLDERS, *planned.suite_folders):
        for folder, folders, files in os.walk(root / name):
            folders[:] = [each for each in folders if each != "__pycache__"]
            place = target / Path(folder).relative_to(root)
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o777 & ~umask)
            for file in files:
                source, copy = Path(folder, file), place / file
                shutil.copyfile(source, copy)
                copy.chmod((0o777 if source.stat().st_mode & stat.S_IXUSR else 0o666) & ~umask)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        try:
            os.link(file, target)
        except OSError:  # on another disk
            shutil.copyfile(file, target)
