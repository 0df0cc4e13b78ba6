"""How this machine gets sources: mirrors, fallbacks, patience. Nothing of it changes which bytes they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kiln.core import UsageError, without_login
from kiln.recipe import Origin

PLACEHOLDERS = {"host", "path", "url", "sha256", "filename"}
GIT_PLACEHOLDERS = {"owner", "repo"}
# Places that keep files whose own URL is dead: TensorFlow's mirror, and the Wayback Machine, whose `id_` asks
# for the bytes as they were, from the time nearest to the year of most of the recipes' URLs.
FALLBACKS = (
    "https://storage.googleapis.com/mirror.tensorflow.org/{host}/{path}",
    "http://mirror.tensorflow.org/{host}/{path}",
    "https://web.archive.org/web/2020id_/{url}",
)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to try again.

    `stall`: where less than `slowest` bytes a second arrive in that time, the connection is closed.
    `pauses`: the longest wait before each further attempt; the real one is drawn by chance.
    """

    connect: float = 15
    stall: float = 30
    slowest: int = 200
    pauses: tuple[float, ...] = (1, 4)


@dataclass(frozen=True)
class FetchSettings:
    """How this machine gets sources; nothing in it changes which bytes they are.

    `mirrors` and `git_mirrors` are templates of URLs or absolute paths, asked before the origins themselves,
    `fallbacks` after them. They may hold logins, which are used and never shown. Files in `folder` that are sources,
    by their hash, are taken before anything else. `root` is the checkout that folders of a recipe's own repository are
    taken from. `environment` is what pip, npm, apt and git are run with.
    """

    offline: bool = False
    folder: Path | None = None
    root: Path | None = None
    mirrors: tuple[str, ...] = ()
    git_mirrors: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = FALLBACKS
    parallel: int = 4
    per_host: int = 2
    patience: Patience = field(default_factory=Patience)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        offline: bool = False,
        git_mirrors: str = "",
        folder: str = "",
        root: Path | None = None,
    ) -> FetchSettings:
        """The options of a command and the KILN_… variables; UsageError for what is not a template.

        `git_mirrors` are templates separated by spaces, asked before those of KILN_GIT_MIRRORS.
        """
        web, git = ("http", "https"), ("http", "https", "ssh", "git", "file")
        fallbacks = environment.get("KILN_FALLBACKS")

        def variable(name: str, schemes: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
            return _templates(name, environment.get(name, ""), schemes, known)

        return cls(
            offline=offline or environment.get("KILN_OFFLINE", "0") not in ("", "0"),
            folder=Path(folder) if folder else None,
            root=root,
            mirrors=variable("KILN_MIRRORS", web, PLACEHOLDERS),
            git_mirrors=(
                *_templates("--git-mirror", git_mirrors, git, GIT_PLACEHOLDERS),
                *variable("KILN_GIT_MIRRORS", git, GIT_PLACEHOLDERS),
            ),
            fallbacks=FALLBACKS if fallbacks is None
            else () if fallbacks in ("", "0")
            else variable("KILN_FALLBACKS", web, PLACEHOLDERS),
            environment=environment,
        )  # fmt: skip


def fallbacks(origin: Origin, settings: FetchSettings) -> list[str]:
    """Where an origin's file may be when its own place is gone."""
    # A recipe may name a fallback's address itself: there is no mirror of the mirror.
    others = (each for each in settings.fallbacks if not origin.url.startswith(each.partition("{")[0]))
    return _filled(others, origin)


def mirrored(origin: Origin, settings: FetchSettings) -> list[str]:
    """Where the mirrors would have an origin's file."""
    return _filled(settings.mirrors, origin)


def _templates(name: str, text: str, schemes: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
    templates = tuple(text.split())
    for template in templates:
        unknown = set(re.findall(r"\{(.*?)\}", template)) - known
        if unknown or not (template.startswith("/") or _is_url(template, schemes)):
            raise UsageError(
                f"{name} has {without_login(template)!r}, which is not a template",
                f"write an absolute path or a URL ({', '.join(schemes)}), in which {', '.join(sorted(known))} may "
                "stand in braces",
            )
    return templates


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in schemes and (bool(parts.hostname) or parts.scheme == "file") and parts.port != 0
        )
    except ValueError:
        return False


def _filled(templates: Iterable[str], origin: Origin) -> list[str]:
    """Where mirrors would have a file, without the templates that need what this origin does not have."""
    values = {"sha256": origin.sha256, "filename": origin.filename}
    if origin.url:
        parts = urlsplit(origin.url)
        path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        values.update(host=parts.hostname or "", path=path, url=origin.url)
    keys = re.compile(r"\{(.*?)\}")
    fitting = (template for template in templates if set(keys.findall(template)) <= set(values))
    return [keys.sub(lambda found: values[found[1]], template) for template in fitting]
