"""From the wheelhouse to those who install: the tasks `index`, `sets`, `serve` and `publish`, and what they print."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kiln import index, sources
from kiln.attest import Signer
from kiln.core import Console, DifferenceError, Home, UsageError, with_host, without_login
from kiln.index import Item
from kiln.recipe import Catalogue, Source
from kiln.sources import Obtained

# What a set says of a wheel that Kiln built.
_BUILD_KEY = re.compile(r"build key ([0-9a-f]{64})")


@dataclass(frozen=True)
class Wheelhouse:
    """The folders with results, and how what they need is got."""

    catalogue: Catalogue
    folders: tuple[Path, ...]
    home: Home
    supply: sources.FetchSettings

    @classmethod
    def of(
        cls, catalogue: Catalogue, folders: Sequence[str], environment: Mapping[str, str], offline: bool
    ) -> Wheelhouse:
        """What a command line names; without folders, dist/ of the checkout."""
        return cls(
            catalogue=catalogue,
            folders=tuple(map(Path, folders)) or (catalogue.root / "dist",),
            home=Home.of(environment),
            supply=sources.FetchSettings.from_environment(environment, offline, root=catalogue.root),
        )

    def items(self) -> list[Item]:
        """Every result, verified."""
        return [index.read_result(folder) for folder in index.results_in(self.folders)]

    def other_names(self, built: Sequence[Item]) -> dict[str, Mapping[str, tuple[str, ...]]]:
        """By recipe, the other names of its wheels, as far as this checkout still has the release."""
        found = {(each.recipe, each.release) for item in built if (each := item.entry.built)}
        return {
            recipe: self.catalogue.describe(recipe, release).stand_ins
            for recipe, release in sorted(found)
            if self.catalogue.has(recipe, release)
        }

    @contextmanager
    def sets(self, built: Sequence[Item], console: Console) -> Iterator[index.MadeSets]:
        """The pinned sets and what they need, for as long as nothing of the vault may go."""
        vault = sources.Vault(self.home.sources)
        with self.home.in_use(console), console.transfers() as transfers:

            def obtain(wanted: Sequence[Source]) -> Sequence[Obtained]:
                return sources.obtain(wanted, vault, self.supply, transfers)

            yield index.make_sets(self.catalogue, built, obtain)


def update_index(
    house: Wheelhouse,
    output: Path,
    with_dependencies: bool,
    console: Console,
    signer: Signer | None = None,
    address: str = "",
) -> None:
    """Add every result to an index; `with_dependencies` also what they need, and the sets; `signer` signs its list.

    `address` is where the index is published, for its feeds. UsageError where it is not a URL of the web.
    """
    if address:
        address = _published_at(address)
    built = house.items()
    with tempfile.TemporaryDirectory() as folder:
        own = [
            *built,
            *index.make_stand_ins(built, house.other_names(built), index.read(output), Path(folder)),
        ]
        if with_dependencies:
            with house.sets(built, console) as made:
                updated = index.update(
                    output, [*own, *made.items], made.texts, console, signer, address=address
                )
        else:
            updated = index.update(output, own, {}, console, signer, address=address)
    _show(output, updated, console)
    listed = index.listing.read(output)
    if listed:
        console.say(f"signed   version {listed.version} of {listed.date} by {', '.join(listed.signers)}")
    else:
        console.say("signed   no: --sign KEY makes changes by a mirror visible")


def write_sets(house: Wheelhouse, output: Path, check: bool, console: Console) -> None:
    """Write the pinned sets; DifferenceError where `check` finds one that would change."""
    built = house.items() if any(folder.is_dir() for folder in house.folders) else []
    keys = {item.entry.built.key for item in built if item.entry.built}
    with house.sets(built, console) as made:
        changed = []
        for name, text in made.texts.items():
            old = _read(output / name)
            elsewhere = set(_BUILD_KEY.findall(old.decode("utf-8", "replace"))) - keys
            if elsewhere:
                console.note(
                    f"{output / name} is left as it is: it names a wheel that was not built here (build key "
                    f"{min(elsewhere)[:16]}…)"
                )
            elif old != text:
                changed.append(name)
        if check and changed:
            raise DifferenceError(
                f"{', '.join(changed)} would change", "run `./inv sets`, and look at the difference"
            )
        for name in changed:
            output.mkdir(parents=True, exist_ok=True)
            (output / name).write_bytes(made.texts[name])
    console.say(f"{output}: {len(made.texts)} sets, {len(changed)} changed")


def serve(folder: Path, port: int, console: Console) -> None:
    """Serve an index until the person stops it."""
    with index.serve(folder, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        console.say(f"serving {folder} at {address} until Ctrl-C")
        console.say(f"install  pip install --index-url {address}simple/ PACKAGE")
        with suppress(KeyboardInterrupt):  # the way to end it
            server.serve_forever()


def publish(
    folder: Path, target: str, simple_url: str, environment: Mapping[str, str], console: Console
) -> None:
    """Publish an index to a target of any kind."""
    done = index.publish(folder, index.publish_target(target, simple_url), environment, console)
    console.say(f"{target}: {len(done.sent)} new, {len(done.there)} were there already")


def _published_at(text: str) -> str:
    """A URL with a slash at its end."""
    try:
        parts = urlsplit(with_host(text))
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise UsageError(
            f"--address {without_login(text)} is not where an index can be published",
            "give a URL such as https://wheels.example/, without a login",
        )
    return text.rstrip("/") + "/"


def _show(output: Path, updated: index.Updated, console: Console) -> None:
    for entry in updated.added:
        console.say(f"new      {entry.file}")
    size = sum(entry.size for entry in updated.entries) / 1e6
    console.say(f"index    {output}: {len(updated.entries)} files, {size:.1f} MB, {len(updated.added)} new")
    console.say(
        f"install  pip install --index-url {output.resolve().as_uri()}/simple/ PACKAGE, or ./inv serve {output}"
    )


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
