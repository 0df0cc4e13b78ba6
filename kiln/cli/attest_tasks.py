"""The tasks that sign finished wheels and check what is claimed of them."""

from __future__ import annotations

import os
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.settings import signer_of

SIGN_HELP = "sign with this key: a file, or `agent` or `agent:NAME` for a key of the ssh agent"


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
