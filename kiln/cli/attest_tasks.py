"""The tasks that sign finished wheels and check what is claimed of them."""

from __future__ import annotations

import os
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.settings import signer_of


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
