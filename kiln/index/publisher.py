"""Publishing an index: to a folder, to a host by rsync, or to an upload endpoint.

All three can be stopped and run again, send only what is missing, and never replace a published file.
"""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union
from urllib.parse import urljoin, urlsplit, urlunsplit

from kiln.core import DifferenceError, Notes, SourceError, UsageError, without_login
from kiln.index import folder as indexed
from kiln.index import listing
from kiln.index.wheelhouse import Entry, Item


@dataclass(frozen=True)
class Folder:
    path: Path


@dataclass(frozen=True)
class Rsync:
    """A place as rsync names it: HOST:PATH over ssh, or rsync://HOST/MODULE/PATH."""

    place: str


@dataclass(frozen=True)
class Upload:
    """An endpoint that takes uploads: its URL, or its name in ~/.pypirc; and where it lists its files."""

    url: str = ""
    name: str = ""
    simple: str = ""


Target = Union[Folder, Rsync, Upload]


@dataclass(frozen=True)
class Done:
    """The files that were sent, and those that were there already."""

    sent: tuple[str, ...]
    there: tuple[str, ...]


def publish_target(text: str, simple: str = "") -> Target:
    """The target that a person wrote; UsageError for a URL with a login."""
    if text.startswith("pypirc:"):
        return Upload(name=text.partition(":")[2], simple=simple)
    if text.startswith(("http://", "https://")):
        if urlsplit(text).username is not None:
            raise UsageError(
                f"{without_login(text)} is written with a login, which a shell remembers",
                "put it in ~/.pypirc, ~/.netrc, or TWINE_USERNAME and TWINE_PASSWORD",
            )
        return Upload(url=text, simple=simple)
    if text.startswith("rsync://") or re.match(r"[^/:]+:", text):
        return Rsync(text.rstrip("/"))
    return Folder(Path(text))


def publish(index: Path, to: Target, environment: Mapping[str, str], notes: Notes) -> Done:
    """Publish an index, whose files are verified first.

    Raises DifferenceError where the target has another file under the same name, SourceError where it fails.
    """
    items = indexed.items(index)
    if isinstance(to, Folder):
        listed = listing.read(index)
        updated = indexed.update(
            to.path, items, indexed.sets_of(index), notes, listed=listed, address=indexed.address_of(index)
        )
        return _done(items, [entry.file for entry in updated.added])
    if isinstance(to, Rsync):
        return _rsync(index, items, to, environment)
    return _upload(items, to, environment)


def _done(items: Sequence[Item], sent: Sequence[str]) -> Done:
    there = (item.entry.file for item in items if item.entry.file not in sent)
    return Done(tuple(sent), tuple(there))


# rsync

ATTEMPTS = 5


def _rsync(index: Path, items: Sequence[Item], to: Rsync, environment: Mapping[str, str]) -> Done:
    """Files, then the manifest, then pages, merged with what is there.

    A host that only speaks rsync cannot be locked: two that publish at the same time may each leave out the other's
    entries. So the manifest is read again afterwards, and written again until all of ours is in it.
    """
    call = _Rsync(to.place, environment)
    files = [f"{item.entry.file}{end}" for item in items for end in ("", ".metadata")]
    before: set[str] = set()
    whole = False
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            there, stage = Path(folder, "there"), Path(folder, "stage")
            call.fetch(there, "/index.json", f"/{listing.NAME}", "/sets/", "/sets/*.txt")
            known = indexed.read(there)
            entries = indexed.merged(known, (item.entry for item in items))
            if whole and set(entries) == set(known):
                return _done(items, [item.entry.file for item in items if item.entry.file not in before])
            before = before if attempt else {entry.file for entry in known}
            address = indexed.address_of(index) or indexed.address_of(there)
            _stage(stage, entries, {**indexed.sets_of(there), **indexed.sets_of(index)}, address)
            _stage_list(index, stage, listing.read(there), to.place)
            try:
                _put(call, index, stage, files)
                whole = True
            except (SourceError, DifferenceError):
                # Another one who publishes now moves the same temporary files, and files may not be there yet.
                whole = False
                if attempt == ATTEMPTS - 1:
                    raise
    raise SourceError(f"{to.place} is changed by others again and again", "publish again later")


def _put(call: _Rsync, index: Path, stage: Path, files: Sequence[str]) -> None:
    call.send(
        index, "--ignore-existing", "--include=/files/", *(f"--include=/files/{each}" for each in files)
    )
    wrong = call.differing(index / "files", files)
    if wrong:
        raise DifferenceError(
            f"{call.place} has {wrong[0]} already with other bytes, and published files never change",
            "give its recipe a new revision, or restore the file there",
        )
    call.send(stage, "--include=/index.json")
    call.send(index, "--include=/records/", "--include=/records/**")
    call.send(stage, "--exclude=/index.html", f"--exclude=/{listing.NAME}", "--include=**")
    call.send(stage, "--include=/index.html")
    call.send(stage, f"--include=/{listing.NAME}")


def _stage(folder: Path, entries: Sequence[Entry], sets: Mapping[str, bytes], address: str) -> None:
    for name, content in indexed.rendered(entries, sets, address).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _stage_list(index: Path, stage: Path, there: listing.Listing | None, place: str) -> None:
    """The signed list of an index, where all that will be at the place is in it.

    DifferenceError where it is not, or where the place has a signed list and the index none.
    """
    listed = listing.read(index)
    if listed is None:
        if there:
            raise DifferenceError(
                f"{place} has a signed list, and {index} has none", "run `./inv index --sign KEY` first"
            )
        return
    files = {**listing.files_of(stage)}
    for name, digest in listing.files_of(index).items():
        files.setdefault(name, digest)
    listing.check_newer(listed, there, place)
    listing.check_files(listed, files, place)
    (stage / listing.NAME).write_text(listed.envelope.to_json(), encoding="utf-8")


@dataclass(frozen=True)
class _Rsync:
    """rsync, with a place on another machine. It writes every file under another name first."""

    place: str
    environment: Mapping[str, str]

    def send(self, folder: Path, *filters: str) -> None:
        """The files of a folder that the filters include; what is equal there is not sent."""
        self._run(
            "--recursive",
            "--delay-updates",
            *filters,
            "--exclude=*",
            f"{folder.resolve()}/",
            f"{self.place}/",
        )

    def fetch(self, folder: Path, *paths: str) -> None:
        """Those of some files that the place has."""
        folder.mkdir()
        filters = [f"--include={path}" for path in paths]
        self._run("--recursive", *filters, "--exclude=*", f"{self.place}/", f"{folder}/", absent_is_fine=True)

    def differing(self, folder: Path, files: Sequence[str]) -> list[str]:
        """Those of some files that are not there, or there with another content."""
        filters = [f"--include=/{file}" for file in files]
        options = ["--recursive", "--dry-run", "--out-format=%n", *filters, "--exclude=*"]
        said = self._run(*options, f"{folder.resolve()}/", f"{self.place}/files/")
        return sorted(set(said.splitlines()) & set(files))

    def _run(self, *arguments: str, absent_is_fine: bool = False) -> str:
        command = ["rsync", "--checksum", "--perms", "--chmod=D755,F644", *arguments]
        environment = {**self.environment, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise UsageError("rsync is not installed", "install it (apt-get install rsync)") from error
        # Files that cannot be read give 23 too, and must not look like an index that is not there yet.
        absent = done.returncode == 23 and re.search(r"change_dir .*No such file or directory", done.stderr)
        if done.returncode and not (absent_is_fine and absent):
            said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
            raise SourceError(f"rsync failed at {self.place} ({said})", f"try `rsync {self.place}/` by hand")
        return done.stdout


# upload


def _upload(items: Sequence[Item], to: Upload, environment: Mapping[str, str]) -> Done:
    """Upload Kiln's own wheels, one by one; packages of other makers are not published again."""
    url = to.url or _configured(to, environment).get("repository", "")
    if not url:
        raise UsageError(
            f"~/.pypirc has no section [{to.name}] with a repository", "add it, or give the upload URL"
        )
    own = [item for item in items if item.entry.is_own]
    listed = _listed(to.simple or urljoin(_slash(url), "simple/"), to, own, environment)
    for item in own:
        there = listed.get(item.entry.file, item.entry.sha256)
        if there != item.entry.sha256:
            raise DifferenceError(
                f"{without_login(url)} has {item.entry.file} already with other bytes (sha256 {there[:16]}…), and "
                "published files never change",
                "give the recipe a new revision",
            )
    new = [item for item in own if item.entry.file not in listed]
    for item in new:
        _send(item.path, to, environment)
    return _done(own, [item.entry.file for item in new])


def _listed(simple: str, to: Upload, items: Sequence[Item], environment: Mapping[str, str]) -> dict[str, str]:
    """The sha256 of every file that an endpoint has of our projects, by name."""
    import pypi_simple
    import requests

    found: dict[str, str] = {}
    with pypi_simple.PyPISimple(simple, auth=_login(to, environment)) as client:
        for project in sorted({item.entry.project for item in items}):
            try:
                page = client.get_project_page(project)
            except pypi_simple.NoSuchProjectError:
                continue
            except (requests.RequestException, pypi_simple.UnsupportedContentTypeError, ValueError) as error:
                raise SourceError(
                    f"{without_login(simple)} does not list what is published there ({type(error).__name__})",
                    "give the right place with --simple-url",
                ) from error
            for package in page.packages:
                found[package.filename] = package.digests.get("sha256", "unknown")
    return found


def _send(path: Path, to: Upload, environment: Mapping[str, str]) -> None:
    where = ["--repository-url", to.url] if to.url else ["--repository", to.name]
    command = [
        sys.executable, "-m", "twine", "--no-color", "upload", "--non-interactive", "--disable-progress-bar",
        *where, str(path),
    ]  # fmt: skip
    login = _login(to, environment)
    known = {"TWINE_USERNAME": login[0], "TWINE_PASSWORD": login[1]} if login else {}
    done = subprocess.run(
        command, env={**environment, **known}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
        said = " ".join((lines or ["no reason was given"])[-1].split())[:200]
        raise SourceError(
            f"{path.name} was refused by {without_login(to.url) or to.name} ({said})",
            "check your ~/.pypirc, ~/.netrc or TWINE_… variables, then run again, which continues from here",
        )


def _login(to: Upload, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The user's login for an endpoint: twine's variables, ~/.pypirc, ~/.netrc. twine itself asks keyrings."""
    section = _configured(to, environment)
    name = environment.get("TWINE_USERNAME") or section.get("username")
    password = environment.get("TWINE_PASSWORD") or section.get("password")
    if name and password:
        return name, password
    import requests.utils

    return requests.utils.get_netrc_auth(to.url or section.get("repository", ""))


def _configured(to: Upload, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The section of the user's ~/.pypirc for an endpoint, by its name or by its URL."""
    parser = configparser.RawConfigParser()
    home = environment.get("HOME") or Path.home()
    try:
        parser.read(Path(home, ".pypirc"), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        # The parser's own message would quote the line, which may hold a password.
        raise UsageError(
            "this file cannot be read", "correct its sections and lines", where="~/.pypirc"
        ) from error
    for name in parser.sections():
        url = parser[name].get("repository", "")
        if name == to.name or (to.url and url and _slash(url) == _slash(to.url)):
            return dict(parser[name])
    return {}


def _slash(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/"))
