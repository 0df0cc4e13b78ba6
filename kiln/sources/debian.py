"""Files of Debian's archive, found through the user's own apt configuration."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from kiln.recipe import DebianOrigin
from kiln.sources.download import OriginError

_FORMAT = "$(ORIGIN) $(SITE)"


def urls(origin: DebianOrigin, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where the user's archives have an origin's file, in the order in which they are asked.

    `KILN_DEBIAN_MIRROR` comes first, then what apt is configured with. Raises OriginError where neither is.
    """
    mirror = environment.get("KILN_DEBIAN_MIRROR", "")
    sites = dict.fromkeys([*([mirror] if mirror else []), *configured(_indexes())])
    if not sites:
        raise OriginError(
            "needs an archive: set KILN_DEBIAN_MIRROR to a mirror of Debian's, such as the base is taken from"
        )
    return tuple(f"{site.rstrip('/')}/{origin.debian}" for site in sites)


def configured(indexes: str) -> tuple[str, ...]:
    """The archives in what apt says of its indexes, each once; Debian's own alone where apt knows them."""
    rows = [line.partition(" ")[::2] for line in indexes.splitlines() if "://" in line]
    of_debian = [site for who, site in rows if who == "Debian"]
    sites = of_debian or [site for _, site in rows]
    return tuple(dict.fromkeys(site for site in sites if site.startswith(("http://", "https://"))))


def _indexes() -> str:
    program = shutil.which("apt-get")
    if program is None:
        return ""
    command = [program, "indextargets", "--format", _FORMAT, "Created-By: Packages"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    return done.stdout
