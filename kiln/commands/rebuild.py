"""A stranger's rebuild: from a published provenance alone to the same bytes, or not: the task `rebuild`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln import attest
from kiln.attest import Recorded
from kiln.core import (
    Console,
    DifferenceError,
    Home,
    KilnError,
    SourceError,
    UsageError,
    parse_json,
    remove,
    sha256_of,
    without_login,
)
from kiln.shared import ALONE
from kiln.sources import Downloader, OriginError, whole

# The longest provenance that is read, in bytes.
MOST = 64 << 20


@dataclass(frozen=True)
class RebuildSettings:
    """`root` is this checkout, `repository` the one to take the commit from; `extra` are further words for the build.

    With `offline` nothing is asked that is not on this machine.
    """

    root: Path
    home: Home
    repository: str = ""
    offline: bool = False
    extra: tuple[str, ...] = ()


def run(provenance: str, settings: RebuildSettings, console: Console) -> None:
    """Build what a provenance says, from the commit that it says, and compare.

    DifferenceError where the plan or the wheel is another one; UsageError where a provenance does not say enough.
    """
    wanted = attest.recorded.parse(_text(provenance, settings.offline), without_login(provenance))
    _require_enough(wanted)
    folder = settings.home.rebuilds / wanted.key[:16]
    checkout, home = folder / "checkout", folder / "home"
    with settings.home.in_use(console), settings.home.lock(f"rebuild-{folder.name}", console):
        with console.station("checkout"):
            _check_out(wanted, settings, checkout, console)
        home.mkdir(exist_ok=True)
        vault = home / "sources"
        if not vault.is_symlink():
            # What is in the vault is used by its hash alone, whoever fetched it.
            vault.symlink_to(settings.home.sources.absolute())
        inv = _inv(checkout, home, settings)
        console.note(f"the checkout builds in an empty home, {home}")
        words = wanted.words
        chosen = list(wanted.choices(_options(inv.plan(words))))
        key = str(inv.plan([*words, *chosen])["key"])
        if key != wanted.key:
            why = "" if wanted.clean else ": it was built with changes that were not committed"
            raise DifferenceError(
                f"the commit {wanted.commit[:12]} gives another plan, {key[:16]}…, and not {wanted.key[:16]}…{why}",
                "ask the maker of the wheel for the commit that it was really built from",
            )
        remove(checkout / "dist")
        inv.build([*words, *chosen, *settings.extra])
        (made,) = sorted((checkout / "dist").glob("*/*/*/*.whl"))
        _compare(made, wanted)
        remove(folder)
    console.say()
    console.say(f"equal    {wanted.name}")
    console.say(f"sha256   {wanted.sha256}")


def _compare(made: Path, wanted: Recorded) -> None:
    found = sha256_of(made)
    if (made.name, found) != (wanted.name, wanted.sha256):
        raise DifferenceError(
            f"not equal: {made.name} has the sha256 {found}, and {wanted.name} was recorded with {wanted.sha256}",
            f"compare the two with diffoscope; the rebuilt wheel is {made}",
        )


def _require_enough(wanted: Recorded) -> None:
    if not wanted.commit:
        raise UsageError(
            f"{wanted.name} was not built from a git checkout, so nobody can check out the same",
            "ask its maker to build it from a commit",
        )
    if wanted.substituted:
        raise UsageError(
            f"{wanted.name} was built with files in place of {', '.join(wanted.substituted)}, which only its maker has",
            "get these files, check out the commit, and build with --substitute",
        )


def _text(place: str, offline: bool) -> str:
    """The provenance in a file or at a URL."""
    if not place.startswith(("http://", "https://")):
        try:
            return Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"it cannot be read ({error})", "name a provenance.intoto.jsonl, or its URL", where=place
            ) from error
    if offline:
        raise SourceError(
            f"{without_login(place)} was not asked: offline", "name the file of a provenance, or go online"
        )
    try:
        return Downloader().taken(place, lambda blocks: whole(blocks, MOST)).decode("utf-8", "replace")
    except OriginError as error:
        raise SourceError(
            f"{without_login(place)} {error}", "check the address, or try again later"
        ) from error


# The checkout


def _check_out(wanted: Recorded, settings: RebuildSettings, target: Path, console: Console) -> None:
    """The recorded commit in `target`, from the first repository that has it; nothing in it is changed."""
    if _head(target) == wanted.commit and attest.git(target, "status", "--porcelain") == "":
        return
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    own = attest.git(settings.root, "cat-file", "-e", f"{wanted.commit}^{{commit}}") is not None
    places = (
        [settings.repository] if settings.repository else [str(settings.root)] * own + [wanted.repository]
    )
    said = "no repository is recorded"
    if settings.offline:
        places = [place for place in places if Path(place).exists()]
        said = "offline, no other repository was asked"
    for place in filter(None, places):
        console.note(f"commit {wanted.commit[:12]} from {without_login(place)}: its programs will run here")
        cloned = _run("git", "clone", "--quiet", "--no-checkout", "--", place, str(target))
        found = cloned or _run("git", "-C", str(target), "checkout", "--quiet", "--detach", wanted.commit)
        if not found:
            return
        remove(target)
        said = found
    raise SourceError(
        f"the commit {wanted.commit} cannot be checked out ({without_login(said)})",
        "give a repository that has it with --repository",
    )


def _head(folder: Path) -> str:
    return (attest.git(folder, "rev-parse", "HEAD") or "") if (folder / ".git").exists() else ""


def _run(*command: str) -> str:
    """Nothing, or the last line of what a command said when it failed."""
    if not shutil.which(command[0]):
        raise UsageError(f"{command[0]} is not installed", f"install it (apt-get install {command[0]})")
    # A repository that asks for a login waits for no answer.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason was given"])[-1]


def _inv(checkout: Path, home: Path, settings: RebuildSettings) -> Inv:
    """Kiln's command of the checkout; UsageError where it first had to install something, offline."""
    pins = [folder / "requirements" / "run.txt" for folder in (checkout, settings.root)]
    if all(each.exists() for each in pins) and pins[0].read_bytes() == pins[1].read_bytes():
        return Inv(checkout, home, (sys.executable, "tasks.py"))
    if settings.offline:
        raise UsageError(
            "the Kiln of this commit needs other Python packages than this one, which are not installed offline",
            "run again without --offline",
        )
    return Inv(checkout, home, ("sh", "inv"))


@dataclass(frozen=True)
class Inv:
    """Kiln's command of a checkout, with a home of its own.

    `program` is how it is called: its own `inv` installs what it needs, which this process may have already.
    """

    checkout: Path
    home: Path
    program: tuple[str, ...]

    def plan(self, words: Sequence[str]) -> dict[str, object]:
        done = self._run("plan", *words, "--json", captured=True)
        try:
            value = parse_json(done)
        except ValueError as error:
            raise UsageError(
                "the Kiln of this commit prints no plan that can be read",
                "build it by hand",
                where=str(self.checkout),
            ) from error
        return dict(value)

    def build(self, words: Sequence[str]) -> None:
        self._run("build", *words, captured=False)

    def _run(self, *words: str, captured: bool) -> str:
        command = [*self.program, *words]
        # Whatever the first build has used: this one owes nothing to others.
        environment = {**os.environ, "KILN_HOME": str(self.home), **ALONE}
        output = subprocess.PIPE if captured else None
        done = subprocess.run(
            command, cwd=self.checkout, env=environment, stdout=output, stdin=subprocess.DEVNULL, text=True
        )
        if done.returncode:
            error = KilnError(
                f"`./inv {words[0]}` of the checkout ended with the exit code {done.returncode}",
                "read what it printed above; run the same command again to go on from its caches",
                where=str(self.checkout),
            )
            error.exit_code = done.returncode
            raise error
        return done.stdout or ""


def _options(plan: dict[str, object]) -> dict[str, object]:
    inputs = plan["inputs"]
    return dict(inputs["options"]) if isinstance(inputs, dict) else {}
