"""Makes the links and pictures of a project's README.md absolute, for pages that show it and do not have its files."""

import re
import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit

FENCE = re.compile(r"^ *(```|~~~)", re.M)
LINK = re.compile(r"(\]\()([^()\s]+)((?:\s[^()]*)?\))")


def absolute(text: str, url: str) -> str:
    """Markdown whose relative links, `](path)`, lead to below `url`; code and places of the page itself stay.

    Raises ValueError for a `url` that is not one of http or https.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        raise ValueError(
            "{!r} is not a URL: give one such as https://git.example/kiln/raw/main/layers".format(url)
        )
    base = url.rstrip("/") + "/"
    outside = True
    lines = []
    for line in text.splitlines(keepends=True):
        fence = FENCE.match(line) is not None
        outside = outside != fence
        lines.append(LINK.sub(lambda found: _linked(found, base), line) if outside and not fence else line)
    return "".join(lines)


def _linked(found: "re.Match[str]", base: str) -> str:
    target = found[2]
    if target.startswith("#") or urlsplit(target).scheme:
        return found[0]
    return found[1] + urljoin(base, target) + found[3]


def with_url(configuration: str, url: str) -> str:
    """A setup.cfg with the project's URL; ValueError where it has no section for it."""
    changed, count = re.subn(
        r"^\[metadata\]\n", lambda found: "{}url = {}\n".format(found[0], url), configuration, flags=re.M
    )
    if count != 1:
        raise ValueError("setup.cfg does not have exactly one section [metadata]")
    return changed


def main(project: str, url: str) -> None:
    for name, change in (("README.md", absolute), ("setup.cfg", with_url)):
        path = Path(project, name)
        path.write_text(change(path.read_text(encoding="utf-8"), url), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ValueError as error:
        sys.exit("kiln-error: {}".format(error))
