"""The user's own certificate authorities: files that variables name, for the programs and libraries that download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kiln.core import UsageError

# Variables that name a file of certificates, or for the first two a folder, and who reads each.
BUNDLES = {
    "REQUESTS_CA_BUNDLE": "every download",
    "CURL_CA_BUNDLE": "every download",
    "PIP_CERT": "pip",
    "SSL_CERT_FILE": "pip and git",
    "GIT_SSL_CAINFO": "git",
    "NODE_EXTRA_CA_CERTS": "npm",
    "NPM_CONFIG_CAFILE": "npm",
    "npm_config_cafile": "npm",
}
BEGIN = b"-----BEGIN "


def named(environment: Mapping[str, str]) -> dict[str, Path]:
    """The variables that name a file or folder of certificates, with what each names."""
    return {name: Path(environment[name]) for name in BUNDLES if environment.get(name)}


def require(environment: Mapping[str, str]) -> None:
    """UsageError for a variable whose file of certificates cannot be read, or has none."""
    for name, path in named(environment).items():
        problem = problem_of(path)
        if problem:
            raise UsageError(
                f"{name} names {path}, which {problem}",
                f"name a PEM file with the certificates that {BUNDLES[name]} should trust, or unset {name}",
            )


def problem_of(path: Path) -> str:
    """Why a file or folder gives no certificates; empty where it does."""
    try:
        if path.is_dir() or BEGIN in path.read_bytes():
            return ""
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "has no certificate in it"
