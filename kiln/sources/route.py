"""By which way this machine reaches what sources come from: proxies and certificates, of variables and of programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.core import UsageError, without_login
from kiln.sources import certificates

if TYPE_CHECKING:
    from kiln.sources.http import Session
    from kiln.sources.settings import Patience

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# Variables of pip, npm and Kiln that say where files come from.
PLACES = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PROXY", "NPM_CONFIG_REGISTRY", "npm_config_registry",
    "KILN_MIRRORS", "KILN_GIT_MIRRORS", "KILN_FALLBACKS", "KILN_DEBIAN_MIRROR", "KILN_DEBIAN_SNAPSHOT", "KILN_DEBIAN_OLD",
    "KILN_OFFLINE",
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """What a program is configured with: proxies by scheme, or by scheme and host, and a file of certificates.

    An empty proxy is none: such a host is asked directly. What is not here is as the variables say.
    """

    proxies: Mapping[str, str] = field(default_factory=dict)
    cert: str = ""

    def taken_by(self, session: Session, patience: Patience) -> Session:
        """A session that goes this way."""
        session.proxies = dict(self.proxies)
        if self.cert:
            from kiln.sources.pypi import Trusting

            session.mount("https://", Trusting((), self.cert, patience))
        return session


def sound(route: Route, program: str, setting: str) -> Route:
    """A program's route; UsageError where its file of certificates cannot be read, or has none."""
    problem = certificates.problem_of(Path(route.cert)) if route.cert else ""
    if problem:
        raise UsageError(
            f"{program} is configured with the certificates in {route.cert}, which {problem}",
            f"correct {setting}, or remove it",
        )
    return route


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that name proxies, or hosts without any; that in small letters counts, as for all programs."""
    return {
        name: value
        for name in PROXIES
        if (value := environment.get(name.lower()) or environment.get(name, ""))
    }


def described(environment: Mapping[str, str]) -> str:
    """The variables that say by which way files come, without logins; empty where there are none.

    What configuration files say is not in it: `./inv doctor` asks the programs that read them.
    """
    named = {**proxies(environment), **{name: environment[name] for name in PLACES if environment.get(name)}}
    parts = [f"{name}={without_login(value)}" for name, value in named.items()]
    for name, path in certificates.named(environment).items():
        problem = certificates.problem_of(path)
        parts.append(f"{name}={path}" + (f" (which {problem})" if problem else ""))
    return "; ".join(parts)
