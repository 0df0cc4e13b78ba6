"""The tasks that sign finished wheels and check what is claimed of them."""

from __future__ import annotations

import os
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.recipe_tasks import RUN_HELP, words
from kiln.cli.settings import fetch_settings, root_of, signer_of

# What `rebuild` passes on to the build.
_OF_BUILD = ("jobs", "setup", "offline", "git_mirror", "folder", "bundle", "time_budget", "accept_cuda_eula")


@task(
    auto_shortflags=False,
    iterable=["key"],
    help={
        "target": "a finished wheel, its folder, an index's folder, or an index's URL",
        "key": "the public half of a key that must have signed it; may be given again",
        "json": "for programs",
    },
)
@guarded
def check(context: Context, target: str = "", key: list[str] | None = None, json: bool = False) -> None:
    """Check what is claimed of a wheel or an index: `./inv check WHEEL|FOLDER|URL [--key FILE.pub]`."""
    if not target:
        raise core.UsageError("nothing is checked", "name a wheel, its folder, an index's folder, or its URL")
    keys = [Path(each) for each in key or ()]
    commands.check.run(target, keys, core.Home.of(os.environ), json, core.Console())


@task(
    auto_shortflags=False,
    help={
        "provenance": "a provenance.intoto.jsonl, or its URL",
        "repository": "take the commit from this repository (default: this checkout, then the recorded one)",
        **{name: RUN_HELP[name] for name in _OF_BUILD},
    },
)
@guarded
def rebuild(
    context: Context,
    provenance: str = "",
    repository: str = "",
    jobs: int = 0,
    setup: bool = False,
    offline: bool = False,
    git_mirror: str = "",
    folder: str = "",
    bundle: str = "",
    time_budget: str = "",
    accept_cuda_eula: bool = False,
) -> None:
    """Build a published wheel again and compare the bytes: `./inv rebuild FILE|URL`."""
    if not provenance:
        raise core.UsageError("nothing is built again", "name a provenance.intoto.jsonl, or its URL")
    # The build runs in another folder.
    places = {"folder": folder, "bundle": bundle}
    given = {
        "jobs": jobs, "setup": setup, "offline": offline, "git_mirror": git_mirror, "time_budget": time_budget,
        "accept_cuda_eula": accept_cuda_eula,
        **{name: str(Path(place).absolute()) for name, place in places.items() if place},
    }  # fmt: skip
    settings = commands.rebuild.RebuildSettings(
        root_of(context),
        core.Home.of(os.environ),
        repository,
        fetch_settings(context, given).offline,
        words(given),
    )
    commands.rebuild.run(provenance, settings, core.Console())


@task(
    auto_shortflags=False,
    iterable=["target"],
    help={
        "target": "a finished build: its folder, or the wheel in it; may be given again",
        "key": "a key's file, or `agent` or `agent:NAME` for a key of the ssh agent",
        "new_key": "make a new key in this file instead, and its public half beside it as FILE.pub",
    },
)
@guarded
def sign(context: Context, target: list[str], key: str = "", new_key: str = "") -> None:
    """Sign finished builds: `./inv sign FOLDER… --key KEY`; or make a key: `./inv sign --new-key FILE`."""
    from kiln import attest

    if new_key:
        ask, passphrase = attest.terminal_prompt(), attest.given_passphrase(os.environ)
        commands.sign.new_key(Path(new_key), ask, passphrase, core.Console())
        return
    signer = signer_of(key)
    if signer is None or not target:
        raise core.UsageError(
            "nothing is signed", "give a folder under dist/, and --key with a key's file or agent"
        )
    commands.sign.sign([Path(each) for each in target], signer, core.Home.of(os.environ), core.Console())
