"""What the tasks are given beside their own options: the repository, the environment, this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context

if TYPE_CHECKING:
    from kiln.attest import Signer
    from kiln.recipe import Catalogue
    from kiln.shared import Executor, SharedCache
    from kiln.sources import FetchSettings


def catalogue_of(context: Context) -> Catalogue:
    """The recipes of the repository whose tasks these are."""
    found: Catalogue = context["catalogue"]
    return found


def root_of(context: Context) -> Path:
    """The repository whose tasks these are."""
    return catalogue_of(context).root


def fetch_settings(context: Context, given: Mapping[str, Any]) -> FetchSettings:
    """How sources are fetched, by those of these options that a task has: offline, git_mirror, folder."""
    from kiln.sources import FetchSettings

    return FetchSettings.from_environment(
        os.environ,
        given.get("offline", False),
        given.get("git_mirror", ""),
        given.get("folder", ""),
        root_of(context),
    )


def signer_of(key: str) -> Signer | None:
    """The key to sign with, unlocked; none where none is asked for. Its passphrase leaves the environment in any case."""
    if not key:
        os.environ.pop("KILN_KEY_PASSPHRASE", None)
        return None
    from kiln import attest

    return attest.signer(key, os.environ, attest.terminal_prompt())


def shared_of(url: str, write: bool, executor: str) -> tuple[SharedCache | None, Executor | None]:
    """The cache that this build shares with others, and what runs its actions, if any.

    Their secrets leave the environment in any case.
    """
    from kiln import shared

    try:
        return shared.shared_cache(os.environ, url, write), shared.remote_executor(os.environ, executor)
    finally:
        for name in shared.SECRETS:
            os.environ.pop(name, None)


def accepts_licences(given: bool) -> bool:
    """Whether this run accepts NVIDIA's licences, by its option or by the variable for machines."""
    from kiln.sources import licences

    return licences.given(given, os.environ)
