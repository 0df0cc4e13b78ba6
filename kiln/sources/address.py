"""URLs as texts: their host, and the site that a login belongs to."""

from __future__ import annotations

from urllib.parse import urlsplit


def host(url: str) -> str:
    """The host in a URL; empty for a text that is not a URL with a host."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def server(url: str) -> str:
    """The host in a URL, with its port if one is written there."""
    return urlsplit(url).netloc.rpartition("@")[2]


def site(url: str) -> str:
    """The part of a URL that a login belongs to: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(parts.scheme)}"
