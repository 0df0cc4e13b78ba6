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
    from kiln.shared import Others
    from kiln.sources import FetchSettings

# The folder with programs of other makers that ci/farm/programs.sh makes, if no other is given.
PROGRAMS = "programs"


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


def others_of(given: Mapping[str, Any]) -> Others:
    """What this run uses of other machines, by those of these options that a task has: remote_cache,
    remote_cache_write, remote_executor, distcc, programs. Secrets leave the environment in any case.
    """
    from kiln import shared

    try:
        return shared.Others(
            shared.shared_cache(
                os.environ, given.get("remote_cache", ""), given.get("remote_cache_write", False)
            ),
            shared.remote_executor(os.environ, given.get("remote_executor", "")),
            shared.helpers_of(os.environ, given.get("distcc", "")),
            Path(given.get("programs") or PROGRAMS),
        )
    finally:
        for name in shared.SECRETS:
            os.environ.pop(name, None)


def accepts_licences(given: bool) -> bool:
    """Whether this run accepts NVIDIA's licences, by its option or by the variable for machines."""
    from kiln.sources import licences

    return licences.given(given, os.environ)
