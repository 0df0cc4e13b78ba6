"""How fast sources arrive in the vault, beside curl: the same files, from one server on loopback, in one run.

Each round fetches all files with every way in turn, so that all of them meet the same machine. On a busy
machine the best rounds say most: what is slow then is the machine. `best / curl` is the ratio of speeds in
the best rounds, `median / curl` the median of the ratios in each round.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kiln.recipe.source import Source, UrlOrigin
from kiln.sources import fetch
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault

SIZES = (20, 60, 120, 250)  # MB


class Static(http.server.SimpleHTTPRequestHandler):
    """Files by sendfile, as real static servers do it."""

    protocol_version = "HTTP/1.1"

    def copyfile(self, source: object, outputfile: object) -> None:
        self.connection.sendfile(source)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Silent:
    """Hears how transfers go and does nothing."""

    def begin(self, name: str, total: int | None) -> None: ...
    def advance(self, name: str, amount: int) -> None: ...
    def end(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        raise SystemExit(f"the benchmark is void: {text}")


def serve(folder: str) -> None:
    os.chdir(folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Static) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def make(folder: Path, sizes: Sequence[int]) -> dict[str, str]:
    """Files of random bytes; the sha256 of each by its name."""
    files = {}
    for size in sizes:
        name, data = f"{size}MB", os.urandom(size * 1_000_000)
        (folder / name).write_bytes(data)
        files[name] = hashlib.sha256(data).hexdigest()
    return files


def obtain(address: str, files: dict[str, str], folder: Path, parallel: int) -> None:
    wanted = [
        Source(name, (UrlOrigin(f"{address}/{name}", sha256, int(name[:-2]) * 1_000_000),))
        for name, sha256 in files.items()
    ]
    settings = FetchSettings(parallel=parallel)
    fetch.obtain(wanted, Vault(folder), settings, Silent())


def curl(address: str, files: dict[str, str], folder: Path, *options: str) -> None:
    folder.mkdir()
    places = [part for name in files for part in ("--output", name, f"{address}/{name}")]
    subprocess.run(
        ["curl", "--silent", "--fail", *options, *places], cwd=folder, check=True, stderr=subprocess.DEVNULL
    )


def curl_and_sha256sum(address: str, files: dict[str, str], folder: Path) -> None:
    curl(address, files, folder)
    listing = "".join(f"{sha256}  {name}\n" for name, sha256 in files.items())
    subprocess.run(["sha256sum", "--check", "--quiet"], cwd=folder, input=listing, text=True, check=True)


def measured(work: Callable[[Path], None], place: Path) -> float:
    folder = place / "fetched"
    begun = time.monotonic()
    work(folder)
    taken = time.monotonic() - begun
    shutil.rmtree(folder)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the files, in MB")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        place = Path(name)
        (place / "served").mkdir()
        files = make(place / "served", given.sizes)
        command = [sys.executable, __file__, "--serve", str(place / "served")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            ways: dict[str, Callable[[Path], None]] = {
                "curl": lambda folder: curl(address, files, folder),
                "curl --parallel": lambda folder: curl(address, files, folder, "--parallel"),
                "curl + sha256sum": lambda folder: curl_and_sha256sum(address, files, folder),
                "kiln, one at a time": lambda folder: obtain(address, files, folder, 1),
                "kiln": lambda folder: obtain(address, files, folder, FetchSettings().parallel),
            }
            times: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(given.rounds):
                for way, work in ways.items():
                    times[way].append(measured(work, place))
            server.terminate()
    show(times, sum(given.sizes), len(files))


def show(times: dict[str, list[float]], megabytes: int, count: int) -> None:
    rounds = len(times["curl"])
    table = Table(title=f"{count} files, {megabytes} MB, on loopback to disk; {rounds} rounds")
    table.add_column("way")
    for heading in ("best, s", "MB/s", "best / curl", "median / curl"):
        table.add_column(heading, justify="right")
    for way, taken in times.items():
        best = min(taken)
        ratio = min(times["curl"]) / best
        paired = statistics.median(curl / own for curl, own in zip(times["curl"], taken))
        table.add_row(way, f"{best:.2f}", f"{megabytes / best:.0f}", f"{ratio:.2f}", f"{paired:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
