"""Files of Debian's archive, found through the user's own apt configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from kiln.recipe import DebianOrigin
from kiln.sources.errors import OriginError

_FORMAT = "$(ORIGIN) $(SITE)"


def urls(origin: DebianOrigin, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where the user's archives have an origin's file, in the order in which they are asked.

    `KILN_DEBIAN_MIRROR` comes first, then what apt is configured with. Raises OriginError where there is neither.
    """
    mirror = environment.get("KILN_DEBIAN_MIRROR", "")
    sites = dict.fromkeys([*([mirror] if mirror else []), *configured(_indexes(environment))])
    if not sites:
        raise OriginError("needs a Debian archive", "set KILN_DEBIAN_MIRROR to a mirror, such as the base's")
    return tuple(f"{site.rstrip('/')}/{origin.debian}" for site in sites)


def configured(indexes: str) -> tuple[str, ...]:
    """The archives in apt's list of its indexes, each once; only Debian's own where there are any."""
    rows = [line.partition(" ")[::2] for line in indexes.splitlines() if "://" in line]
    of_debian = [site for name, site in rows if name == "Debian"]
    sites = of_debian or [site for _, site in rows]
    return tuple(dict.fromkeys(site for site in sites if site.startswith(("http://", "https://"))))


def _indexes(environment: Mapping[str, str]) -> str:
    program = shutil.which("apt-get", path=environment.get("PATH", os.defpath))
    if program is None:
        return ""
    command = [program, "indextargets", "--format", _FORMAT, "Created-By: Packages"]
    done = subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    return done.stdout
