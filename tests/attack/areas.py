"""What is attacked. Each area makes one try from a source of chance in an empty folder, and returns what was found."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import lzma
import os
import socket
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import rich.console

from kiln import archive, index, plan, sources
from kiln.archive import debs
from kiln.build import Record, bundle, record
from kiln.core import Console, Home, KilnError, shown
from kiln.index import folder as indexed
from kiln.index import wheelhouse
from kiln.recipe import Catalogue, Source, UrlOrigin
from kiln.sources.http import Logins, Session
from tests.attack import ways
from tests.support import repository, wheels
from tests.support.loopback import Notes

Area = Callable[[Random, Path], str]
LONGEST = 20_000
BOUND = 8 << 20


def ended(call: Callable[[], object]) -> tuple[object, KilnError | None]:
    """What a call gave, or the error of Kiln's in which it ended."""
    try:
        return call(), None
    except KilnError as error:
        return None, error


def unreadable(error: KilnError | None) -> str:
    """What is wrong in an error that a person is shown; nothing where all is well."""
    if error is None:
        return ""
    text = shown(str(error))
    if not error.what.strip() or "Traceback" in text:
        return f"an error that says nothing: {text[:200]!r}"
    if len(text) > LONGEST:
        return f"an error of {len(text)} characters: {text[:200]!r}"
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
        return f"a control character in an error: {text[:200]!r}"
    return ""


# --- recipes -----------------------------------------------------------------------------------------------------------

FILES = {
    "recipes/toy/recipe.yaml": repository.RECIPE,
    "patches/toy/series.yaml": "patches:\n  - {file: 0001-x.patch, tree: toy, why: a test, upstream: none}\n",
    "recipes/toy/cures.yaml": (
        "cures:\n  - symptom: 'error: x'\n    example: 'error: x'\n    cause: it\n    cure: do it\n    seen: here\n"
    ),
    "docker/opencv/packages.yaml": "packages: [gcc, g++]\ncompilers:\n  gcc-9: [g++-9]\n",
    "recipes/toy/verified.yaml": (
        "runs:\n  - {release: '1.0', device: cpu, base: bookworm, python: ['3.11'], date: 2026-01-01, commit: abcdef0}\n"
        "needs:\n  - {memory: 100, jobs: 2, job: 10, disk: 5}\n"
    ),
}


def recipes(random: Random, folder: Path) -> str:
    """A file of a recipe that somebody wrote; planned, listed, and its advice given."""
    root = repository.make(folder / "root")
    name = random.choice((*FILES, *["recipes/toy/recipe.yaml"] * 4))
    there = [
        path
        for path in ("recipes/bases/bookworm/base.yaml", "recipes/bases/bookworm/lock.yaml")
        if (root / path).exists()
    ]
    if there and random.random() < 0.15:
        name = random.choice(there)
    path = root / name
    text = path.read_text(encoding="utf-8") if path.exists() else FILES[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ways.damaged_yaml(random, text))
    catalogue = Catalogue(root)

    def read() -> None:
        for name in catalogue.names():
            catalogue.outline(name) if hasattr(catalogue, "outline") else None
            for release in catalogue.releases(name):
                catalogue.load(name, release)
                made = plan.make(catalogue, plan.Request(name, release))
                made.to_json()
                plan.advice(catalogue, made)
                if root.resolve() not in (root / "dist" / made.folder).resolve().parents:
                    raise AssertionError(f"results outside: {made.folder}")

    _, error = ended(read)
    return unreadable(error)


# --- archives ----------------------------------------------------------------------------------------------------------


def archives(random: Random, folder: Path) -> str:
    """An archive from anywhere, unpacked, and one file taken from it."""
    file, target, beside = folder / "archive", folder / "target", folder / "beside"
    beside.mkdir()
    (beside / "secret").write_text("mine")
    data = ways_of_tar(random) if random.random() < 0.6 else ways_of_zip(random)
    file.write_bytes(ways.damaged(random, data) if random.random() < 0.4 else data)
    member = random.choice((None, None, "a", "dir", "../beside", "/", "."))
    _, error = ended(lambda: archive.unpack(file, target, member, 0, ("x",)))
    problem = unreadable(error)
    if error and target.exists():
        problem = problem or "a folder is left of an archive that was refused"
    if not error:
        problem = problem or inside(target)
        archive.tree_digest(target)
        _, error = ended(lambda: archive.pack(target, folder / "again.tar", "tar"))
        problem = problem or unreadable(error)
    _, error = ended(lambda: archive.extract(file, ways.name(random), folder / "one"))
    problem = problem or unreadable(error)
    allowed = {"archive", "target", "beside", "one", "again.tar"}
    if {path.name for path in folder.iterdir()} - allowed or [path.name for path in beside.iterdir()] != [
        "secret"
    ]:
        return f"something outside of the folder: {sorted(path.name for path in folder.iterdir())}"
    return problem


def inside(target: Path) -> str:
    """What of a tree is no plain file, folder or link inside of it."""
    root = os.path.realpath(target)
    for path in target.rglob("*"):
        mode = path.lstat().st_mode
        link = stat.S_ISLNK(mode)
        if not link and (not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or mode & 0o7022):
            return f"{path} has the mode {mode:o}"
        if link and not (os.path.realpath(path) + "/").startswith(root + "/"):
            return f"{path} leads to {path.readlink()}"
    return ""


def ways_of_tar(random: Random) -> bytes:
    buffer = io.BytesIO()
    form = random.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT))
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as tar:
        for _ in range(random.randrange(6)):
            info = tarfile.TarInfo(ways.name(random))
            data = random.randbytes(random.choice((0, 1, 511, 513, 3000)))
            info.type = random.choice(
                (*[tarfile.REGTYPE] * 5, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE,
                 tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"Z")
            )  # fmt: skip
            info.linkname = random.choice((ways.name(random), "../beside/secret", "a"))
            info.mode = random.choice((0o644, 0o755, 0o4755, 0, 0o7777))
            info.mtime = random.choice((0, 1, -1, 2**33, 2**62))
            if form == tarfile.PAX_FORMAT and random.random() < 0.3:
                info.pax_headers = {
                    random.choice(("path", "size", "linkpath", "GNU.sparse.map")): ways.name(random)
                }
            plain = info.type in (
                tarfile.REGTYPE,
                tarfile.GNUTYPE_SPARSE,
                tarfile.XHDTYPE,
                tarfile.GNUTYPE_LONGNAME,
                b"Z",
            )
            info.size = len(data) if plain else 0
            with contextlib.suppress(ValueError, UnicodeError, TypeError):
                tar.addfile(info, io.BytesIO(data))
    found = buffer.getvalue()
    return random.choice((bytes, bytes, gzip.compress, lzma.compress))(found)


def ways_of_zip(random: Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as target:
        for _ in range(random.randrange(6)):
            info = zipfile.ZipInfo("x")
            info.filename = ways.name(random).encode("utf-8", "replace").decode()
            info.create_system = random.choice((0, 3))
            info.external_attr = (
                random.choice((0o100644, 0o100755, 0o120777, 0o020666, 0o040755, 0o104755, 0)) << 16
            )
            data = random.choice((random.randbytes(40), b"../beside/secret", b"a", bytes(100_000)))
            with contextlib.suppress(ValueError, UnicodeError, UserWarning):
                target.writestr(info, data)
    return buffer.getvalue()


def packages(random: Random, folder: Path) -> str:
    """A Debian package of a mirror, whose fields and files are read."""
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": ways_of_tar(random),
        "data.tar.xz": ways_of_tar(random),
    }
    if random.random() < 0.5:
        parts["control.tar"] = parts.pop("control.tar.gz")
    data = b"!<arch>\n"
    for name, content in parts.items():
        size = len(content) if random.random() < 0.9 else random.choice((0, -1, 10**9, len(content) + 7))
        data += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{size:<10}`\n".encode()[:60]
            + content
            + b"\n" * (len(content) % 2)
        )
    file = folder / "x.deb"
    file.write_bytes(ways.damaged(random, data) if random.random() < 0.5 else data)
    problem = ""
    for call in (lambda: debs.control(file), lambda: debs.contents([file])):
        _, error = ended(call)
        problem = problem or unreadable(error)
    return problem


# --- servers -----------------------------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 40
PINNED = sources.Pinned(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
HEADS = (
    "Content-Length: {}", "Content-Length: -1", "Content-Length: " + "9" * 5000, "Content-Length: 5, 6",
    "Content-Length: é",
    "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Encoding: gzip", "Content-Encoding: br",
    "Content-Range: bytes 0-10/20", "Content-Range: bytes 5-4/x", "Content-Range: bytes */0", "Location: /x",
    "Location: file:///etc/passwd", "Location: http://[::1", "Location: //\x1b]0;x\x07", "Location: ", "X: " + "a" * 70_000,
    "X" * 400, ": x", " folded", "Set-Cookie: a=b; Path=/", "Connection: close", "Connection: keep-alive",
    "Retry-After: 99999",
    "ETag: \"\x00\"", "WWW-Authenticate: Basic realm=\"x\"", "Content-Type: text/html; charset=utf-7",
)  # fmt: skip
LINES = (
    "HTTP/1.1 200 OK", "HTTP/1.1 206 Partial Content", "HTTP/1.1 301 Moved", "HTTP/1.1 404 \x1b[31mno",
    "HTTP/1.1 416 x",
    "HTTP/1.1 503 x", "HTTP/1.1 100 Continue", "HTTP/0.9 200", "HTTP/1.1 -1 x", "HTTP/1.1 99999 x", "HTTP/1.1",
    "ICY 200 OK",
    "",
    "HTTP/1.1 200 " + "x" * 70_000, "HTTP/2.0 200 OK", "HTTP/1.1 401 x", "HTTP/1.1 304 x", "HTTP/1.1 204 x",
    "\x00\x01\x02",
)  # fmt: skip


def answer(random: Random) -> bytes:
    line = random.choice(LINES) if random.random() < 0.5 else LINES[random.randrange(2)]
    heads = [random.choice(HEADS).format(len(CONTENT)) for _ in range(random.choice((0, 1, 1, 2, 4, 400)))]
    body = random.choice(
        (CONTENT, CONTENT, CONTENT[:100], CONTENT + b"x", b"", random.randbytes(len(CONTENT)))
    )
    if any("chunked" in head for head in heads):
        size = random.choice((f"{len(body):x}", "-1", "f" * 40, "", f"{len(body):x};x={'a' * 5000}", "zz"))
        body = f"{size}\r\n".encode() + body + b"\r\n0\r\n" + random.choice((b"\r\n", b"", b"X: y\r\n" * 500))
    end = random.choice(("\r\n", "\r\n", "\r\n", "\n", "\r"))
    data = (end.join([line, *heads, "", ""])).encode("utf-8", "surrogateescape") + body
    return ways.damaged(random, data) if random.random() < 0.2 else data


@contextlib.contextmanager
def served(answers: list[bytes]) -> Iterator[str]:
    """The address of a server that gives each connection the next answer, whatever it asks."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            left = list(answers)
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(2)
                        connection.recv(65536)
                        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            # Closed alone, it would still be waited at.
            server.shutdown(socket.SHUT_RDWR)


def servers(random: Random, folder: Path) -> str:
    """What a web server says for a pinned file."""
    secret = f"canary{random.randrange(10**9)}"
    downloader = sources.Downloader(
        sources.Patience(connect=2, stall=2, pauses=(0, 0)), lambda patience: Session(patience)
    )
    partial = folder / "partial"
    if random.random() < 0.3:
        partial.write_bytes(random.choice((CONTENT[:500], random.randbytes(500), CONTENT, CONTENT + b"x")))
    pinned = random.choice((PINNED, sources.Pinned(PINNED.digest)))
    with served([answer(random) for _ in range(4)]) as address:
        url = f"{address}/x?token={secret}"
        problem = ""
        try:
            downloader.fetch(url, partial, pinned, "x", sources.NoProgress())
            if partial.read_bytes() != CONTENT:
                problem = "another file was taken"
        except sources.OriginError as error:
            text = shown(str(error))
            if "\n" in text or len(text) > 500 or secret in text or any(ord(letter) < 32 for letter in text):
                problem = f"a reason that is not one: {text[:300]!r}"
    if not problem and partial.exists() and partial.stat().st_size > BOUND:
        problem = "more was taken than is pinned"
    return problem


# --- indexes, wheels, records --------------------------------------------------------------------------------------------


def index_folders(random: Random, folder: Path) -> str:
    """An index that somebody else can write to: read, updated and listed again."""
    target, victim = folder / "index", folder / "victim"
    victim.write_text("mine")
    built = wheels.wheel(folder / "built")
    indexed.update(target, [wheelhouse.item(built)], {"all.txt": b"toy==1.0\n"}, Notes())
    for _ in range(random.randrange(1, 4)):
        path = random.choice([each for each in target.rglob("*") if each.is_file() and not each.is_symlink()])
        kind = random.randrange(5)
        if kind in (0, 1):
            path.write_bytes(ways.damaged(random, path.read_bytes()))
        elif kind == 2:
            path.unlink()
            path.symlink_to(random.choice((victim, folder, path, "nowhere")))
        elif kind == 3:
            with contextlib.suppress(OSError):
                path.with_name(f".new-{path.name}").symlink_to(victim)
        else:
            manifest = target / "index.json"
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                value = json.loads(manifest.read_text(encoding="utf-8"))
                row = value["files"][0]
                row[random.choice([*row, "more"])] = random.choice(
                    (None, -1, [], {}, 10**400, ways.name(random))
                )
                manifest.write_text(json.dumps(value), encoding="utf-8")
        if not [each for each in target.rglob("*") if each.is_file() and not each.is_symlink()]:
            break
    other = wheels.wheel(folder / "built", version="2.0")
    at = index.PublishedIndex.at(str(target))
    problem = ""
    for call in (
        lambda: indexed.items(target), lambda: index.listing.read(target), at.entries, lambda: at.record(built.name),
        lambda: at.text("index.html"), lambda: indexed.sets_of(target),
        lambda: indexed.update(target, [wheelhouse.item(other)], {}, Notes()),
    ):  # fmt: skip
        _, error = ended(call)
        problem = problem or unreadable(error)
    return "a file outside was changed" if victim.read_text() != "mine" else problem


def lists(random: Random, folder: Path) -> str:
    """Signed lists and manifests as text."""
    value: dict[str, object] = {
        "payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": [{"keyid": "x", "sig": "eA=="}],
    }  # fmt: skip
    if random.random() < 0.7:
        value[random.choice(list(value))] = random.choice(
            (None, 1, [], {}, "é", "e30", [1], [{}], "A" * 10_000, ways.name(random))
        )
    text = json.dumps(value)
    if random.random() < 0.5:
        text = ways.damaged(random, text.encode()).decode("utf-8", "replace")
    if random.random() < 0.1:
        text = "[" * random.choice((100, 100_000))
    _, error = ended(lambda: index.listing.parse(text, "list"))
    problem = unreadable(error)
    manifest = random.choice(
        (text, json.dumps({"format": 1, "files": [value]}), json.dumps({"format": 1, "files": text}))
    )
    _, error = ended(lambda: indexed.parse(manifest.encode("utf-8", "replace"), "manifest"))
    return problem or unreadable(error)


def wheel_files(random: Random, folder: Path) -> str:
    """A wheel from anywhere: inspected, and listed in an index."""
    made = wheels.wheel(folder / "built")
    data = made.read_bytes()
    if random.random() < 0.5:
        buffer = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(data)) as old,
            zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
        ):
            for info in old.infolist():
                name = (
                    info.filename
                    if random.random() < 0.8
                    else ways.name(random).encode("utf-8", "replace").decode()
                )
                text = old.read(info)
                with contextlib.suppress(ValueError, IndexError):
                    target.writestr(name, ways.damaged(random, text) if random.random() < 0.4 else text)
        data = buffer.getvalue()
    else:
        data = ways.damaged(random, data)
    name = (
        made.name
        if random.random() < 0.8
        else f"{random.choice(('toy', 'é', 'a b', '..', '-'))}-1.0-py3-none-any.whl"
    )
    path = folder / name
    path.write_bytes(data)
    problem = ""
    for call in (lambda: archive.inspect_wheel(path), lambda: wheelhouse.item(path)):
        _, error = ended(call)
        problem = problem or unreadable(error)
    return problem


def records(random: Random, folder: Path) -> str:
    """A finished build's folder that somebody has changed; read, and listed."""
    result = wheels.result(folder)
    files = sorted(result.iterdir())
    path = random.choice(files)
    kind = random.randrange(4)
    if kind == 0:
        path.unlink()
        path.symlink_to(random.choice((files[0], folder, path)))
    elif kind == 1:
        path.unlink()
        os.mkfifo(path)
    else:
        path.write_bytes(ways.damaged(random, path.read_bytes()))
    if random.random() < 0.6:
        # One who can change a file can change its sum.
        lines = [
            f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n"
            for each in sorted(result.iterdir()) if each.name != record.SUMS and each.is_file() and not each.is_symlink()
        ]  # fmt: skip
        with contextlib.suppress(OSError):
            (result / record.SUMS).unlink()
            (result / record.SUMS).write_text("".join(lines), encoding="utf-8")
    found, error = ended(lambda: record.read(result))
    problem = unreadable(error)
    if isinstance(found, Record) and not all(
        each.is_file() and not each.is_symlink() for each in result.iterdir()
    ):
        problem = problem or "a record that has a link was taken for whole"
    _, error = ended(lambda: wheelhouse.read_result(result))
    return problem or unreadable(error)


# --- bundles -------------------------------------------------------------------------------------------------------------


def bundles(random: Random, folder: Path) -> str:
    """A bundle that was copied from anywhere."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    recipe = repository.RECIPE.replace("a" * 64, sha256).replace("size: 3", f"size: {len(CONTENT)}")
    planned = plan.make(Catalogue(repository.make(folder / "root", recipe)), plan.Request("toy"))
    (folder / "file").write_bytes(CONTENT)
    file = sources.Vault(folder / "first").add(folder / "file", sha256)
    packed = folder / "toy.tar"
    source = planned.sources[0]
    bundle.write(planned, [sources.Obtained(source, file, "somewhere", source.origins[0])], [], packed)
    if random.random() < 0.5:
        with tarfile.open(packed) as tar:
            members = [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
        text = json.loads(members[0][1])
        row = random.choice((text, text["files"][0]))
        row[random.choice([*row, "more"])] = random.choice(
            (None, -1, [], {}, 10**400, "../x", "a" * 64, ways.name(random))
        )
        content = json.dumps(text).encode()
        members[0][0].size = len(content)
        members[0] = (members[0][0], content)
        random.shuffle(members) if random.random() < 0.2 else None
        with tarfile.open(packed, "w", format=tarfile.GNU_FORMAT) as tar:
            for info, data in members:
                if random.random() < 0.2:
                    info.type = random.choice((tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE))
                tar.addfile(info, io.BytesIO(data))
    packed.write_bytes(
        ways.damaged(random, packed.read_bytes()) if random.random() < 0.6 else packed.read_bytes()
    )
    home = Home.of({"KILN_HOME": str(folder / "home")})
    vault, output = sources.Vault(home.sources), io.StringIO()
    console = Console(rich.console.Console(file=output, width=300))
    _, error = ended(lambda: bundle.take(packed, planned, vault, None, home, console))
    problem = unreadable(error)
    for path in vault.root.glob("sha256/*/*"):
        if path.name != hashlib.sha256(path.read_bytes()).hexdigest():
            problem = problem or "a wrong file is in the vault"
    return problem


# --- logins --------------------------------------------------------------------------------------------------------------


def login(random: Random, secret: str) -> str:
    """A URL, or a part of one, with a secret in it."""
    user = random.choice(("user", "u%40x", "", "é", "a.b+c", "__token__", "x" * 70))
    host = random.choice(
        (
            "127.0.0.1:9",
            "mirror.invalid",
            "[::1]:9",
            "mirror.invalid:9",
            "localhost:9",
            "m\u00fcnchen.invalid",
        )
    )
    path = random.choice(("/x", "/{host}/{path}", "/{owner}/{repo}.git", "/simple", "", "/a b", "/x#y"))
    scheme = random.choice(
        ("https", "http", "HTTPS", "ssh", "git+https", "git", "socks5", "unix", "svn", "file")
    )
    return random.choice((
        f"{scheme}://{user}:{secret}@{host}{path}",
        f"{scheme}://{secret}@{host}{path}",
        f"{scheme}://:{secret}@{host}{path}",
        f"{scheme}://{user}:{secret}:more@{host}{path}",
        f"{scheme}://{host}{path}?token={secret}",
        f"{scheme}://{host}{path}?a=b&access_token={secret}&c=d",
        f"{scheme}://{host}{path}?X-Amz-Signature={secret}",
        f"//{user}:{secret}@{host}{path}",
        f"{scheme}:{user}:{secret}@{host}{path}",
        f"{scheme}://{user}:%{secret}@{host}{path}",
        f"{scheme}://{user}:{secret}@{host}{path}\t",
        f"{user or 'u'}:{secret}@{host}{path}",
    ))  # fmt: skip


def logins(random: Random, folder: Path) -> str:
    """Secrets in variables and URLs, of which none may be shown, whatever goes wrong."""
    secret = f"canary{random.randrange(10**9)}"
    text = login(random, secret)
    names = (
        "KILN_MIRRORS", "KILN_GIT_MIRRORS", "KILN_FALLBACKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS",
        "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "npm_config_registry",
    )  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "no_proxy": "", "PIP_CONFIG_FILE": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null", "KILN_FALLBACKS": "0", random.choice(names): text,
    }  # fmt: skip
    printed: list[str] = []

    class Progress(sources.NoProgress):
        def note(self, text: str) -> None:
            printed.append(text)

    def fetch() -> None:
        settings = sources.FetchSettings.from_environment(environment)
        settings = sources.FetchSettings(
            **{**vars(settings), "patience": sources.Patience(connect=1, stall=1, pauses=()), "parallel": 1}
        )
        # A recipe is refused with an origin that is no URL of the web.
        url = text if text.lower().startswith("http") and "://" in text else "http://127.0.0.1:9/x"
        source = Source("x", (UrlOrigin(url, "a" * 64, 3),))
        sources.obtain([source], sources.Vault(folder / "vault"), settings, Progress())

    _, error = ended(fetch)
    printed += [str(error)] if error else []
    for each in printed:
        if secret in shown(each):
            return f"a secret is shown: {shown(each)[:400]!r} of {text!r}"
    for sentence in (
        f"error: {text}: refused",
        f"fatal: unable to access '{text}/'",
        f"({text})",
        f"Cloning into {text}...",
    ):
        if secret in shown(sentence):
            return f"a secret is shown: {shown(sentence)!r} of {text!r}"
    return unreadable(error)


def known_logins(random: Random, folder: Path) -> str:
    """URLs that are taken apart for their logins."""
    urls = [login(random, "x") for _ in range(3)] + [ways.name(random)]
    with contextlib.suppress(ValueError):
        Logins.of(urls)
    _, error = ended(lambda: index.PublishedIndex.at(random.choice(urls)))
    return unreadable(error)


AREAS: dict[str, Area] = {
    "recipes": recipes,
    "archives": archives,
    "packages": packages,
    "servers": servers,
    "indexes": index_folders,
    "lists": lists,
    "wheels": wheel_files,
    "records": records,
    "bundles": bundles,
    "logins": logins,
    "urls": known_logins,
}
