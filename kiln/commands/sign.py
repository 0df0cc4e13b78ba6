"""Signing finished builds: the tasks `sign`, and what builds and indexes do with `--sign`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kiln import attest
from kiln.attest import Signer
from kiln.build import Damage, Record, record
from kiln.commands.printing import short_path
from kiln.core import Console, Home, SourceError, UsageError


def new_key(path: Path, ask: Callable[[str], str] | None, passphrase: str, console: Console) -> None:
    """Make a key. Where a person is there, the passphrase is asked for twice."""
    if ask and not passphrase:
        passphrase = ask("passphrase of the new key (empty for none): ")
        if passphrase and ask("the same again: ") != passphrase:
            raise UsageError("these are two different passphrases", "try again")
    public = attest.make_key(path, passphrase)
    if not passphrase:
        console.note(f"{path} has no passphrase: who can read this file can sign")
    console.say(f"key      {path} (keep it secret)")
    console.say(f"public   {path}.pub (give it to those who check)  {public.id}")


def sign(targets: Sequence[Path], signer: Signer, home: Home, console: Console) -> None:
    """Sign finished builds, each named by its folder or its wheel."""
    for target in targets:
        folder = target if target.is_dir() else target.parent
        found = record.read(folder) if (folder / record.SUMS).exists() else None
        if found is None:
            raise UsageError(
                f"{target} is not a finished build", "name a folder under dist/, or the wheel in it"
            )
        if isinstance(found, Damage):
            raise SourceError(
                f"{found.folder / found.file} is not what was recorded, and is not signed",
                "build it again",
            )
        with home.in_use(console), home.lock(found.plan.key, console):
            signed = sign_record(found, signer, home)
        console.say(f"signed   {short_path(signed.folder)} by {signer.public.id} ({signer.public.name})")


def sign_record(found: Record, signer: Signer, home: Home) -> Record:
    """A signed build, also in the home it was published from: `build` would else put the unsigned one back."""
    kept = record.find(home.results, found.plan.key)
    same = (
        isinstance(kept, Record)
        and (kept.folder / record.SUMS).read_bytes() == (found.folder / record.SUMS).read_bytes()
    )
    signed = attest.sign(found, signer)
    if same and isinstance(kept, Record) and kept.folder.resolve() != found.folder.resolve():
        text = (signed.folder / record.SIGNATURES).read_text(encoding="utf-8")
        record.add(kept, record.SIGNATURES, text)
    return signed


def is_signed_by(found: Record, signer: Signer) -> bool:
    """Whether a build has this key's signatures over all its files as they are."""
    try:
        seals = attest.signatures(found.folder)
    except ValueError:
        return False
    files = {path.name for path in found.folder.iterdir()} - {record.SUMS, record.SIGNATURES}
    return any(
        each.predicate == attest.RECORD
        and set(each.subjects) == files
        and each.envelope.accepted_by([signer.public])
        for each in seals
    )
