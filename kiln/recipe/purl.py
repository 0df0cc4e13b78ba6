"""Origins as URLs and package URLs, the versions that they name, and sources as an SBOM describes them."""

from __future__ import annotations

import re
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from kiln.recipe.source import DebianOrigin, GitOrigin, NpmOrigin, Origin, PypiOrigin, Source

# A forge's archive of a tag or a commit, also on a mirror that keeps the forge's paths.
_FORGE = re.compile(r"github\.com/([\w.-]+)/([\w.-]+)/archive/(?:refs/tags/)?([^/?#]+?)\.(?:tar\.gz|zip)$")
# The name of a wheel, or of a source distribution.
_PYPI = re.compile(r"-([^-]+)(?:(?:-[^-]+){3,4}\.whl|\.tar\.gz|\.zip)$")
_NUMBERED = re.compile(r"[-_]v?(\d[\w.]*?)(?:[.-]?(?:orig|src|source))?\.(?:tar\.\w+|tgz|zip|gz)$")


def uri_of(origin: Origin) -> str:
    """An origin as a URL or a package URL; empty for a file of one machine."""
    if isinstance(origin, PypiOrigin):
        version = version_of(origin)
        at = f"@{quote(version)}" if version else ""
        return f"pkg:pypi/{origin.pypi.lower()}{at}?file_name={quote(origin.file)}"
    if isinstance(origin, NpmOrigin):
        return f"pkg:npm/{quote(origin.npm)}@{quote(origin.version)}"
    if isinstance(origin, GitOrigin):
        return f"git+{origin.git}@{origin.commit}"
    if isinstance(origin, DebianOrigin):
        name, version, arch = origin.package
        return f"pkg:deb/debian/{name}@{quote(version)}?arch={arch}"
    return origin.url


def purl_of(origin: Origin) -> str:
    """The package URL of what an origin holds; empty where its URL does not tell a package."""
    if isinstance(origin, GitOrigin):
        forge = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?", origin.git)
        return f"pkg:github/{forge[1].lower()}/{forge[2].lower()}@{origin.commit}" if forge else ""
    forge = _FORGE.search(origin.url)
    if forge:
        return f"pkg:github/{forge[1].lower()}/{forge[2].lower()}@{quote(forge[3])}"
    uri = uri_of(origin)
    return uri if uri.startswith("pkg:") else ""


def version_of(origin: Origin) -> str:
    """The version or commit that an origin names; empty where it names none."""
    if isinstance(origin, PypiOrigin):
        found = _PYPI.search(origin.file)
        try:
            return str(Version(found[1])) if found else ""
        except InvalidVersion:
            return ""
    if isinstance(origin, NpmOrigin):
        return origin.version
    if isinstance(origin, GitOrigin):
        return origin.commit
    if isinstance(origin, DebianOrigin):
        return origin.package[1]
    found = _FORGE.search(origin.url)
    if found:
        return found[3]
    numbered = _NUMBERED.search(origin.filename)
    return numbered[1] if numbered else ""


def described(source: Source) -> dict[str, str]:
    """What an SBOM says of a source: what it is, and not where it comes from, which may change."""
    first, given = source.origins[0], source.substituted
    fields = {
        "name": source.name,
        "file": source.file,
        "version": "" if given else version_of(first),
        "purl": "" if given else purl_of(first),
        "sha256": source.digest if source.tree is None else "",
        "tree": source.tree or "",
        "license": source.license or "",
        "instead_of": source.instead_of or "",
    }
    return {key: value for key, value in fields.items() if value}
