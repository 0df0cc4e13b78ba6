"""Files of Debian's archive: through the user's own apt configuration, and where Debian keeps what it once had."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from kiln.recipe import DebianOrigin
from kiln.sources.route import Route, sound

_FORMAT = "$(ORIGIN) $(SITE)"
_ACQUIRE = re.compile(r'^Acquire::(https?)::(Proxy|CaInfo)(?:::([^"\s]+))? "(.*)";$', re.MULTILINE)
# Every file that was ever in the archive, by the day and by its sha1; and the releases that have left the archive.
SNAPSHOT = "https://snapshot.debian.org"
OLD_RELEASES = "https://archive.debian.org/debian"


def urls(origin: DebianOrigin, archives: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where an origin's file may be, in the order in which it is asked for.

    First the `archives`, those of `mirrors`, then the snapshot service, by the day and by the sha1 where these are
    recorded, then the archive of old releases. KILN_DEBIAN_SNAPSHOT and KILN_DEBIAN_OLD name others in place of these two.
    """
    snapshot = environment.get("KILN_DEBIAN_SNAPSHOT", "") or SNAPSHOT
    places = [f"{site}/{origin.debian}" for site in archives]
    if origin.snapshot:
        places.append(f"{snapshot.rstrip('/')}/archive/debian/{origin.snapshot}/{origin.debian}")
    if origin.sha1:
        places.append(f"{snapshot.rstrip('/')}/file/{origin.sha1}")
    old = environment.get("KILN_DEBIAN_OLD", "") or OLD_RELEASES
    places.append(f"{old.rstrip('/')}/{origin.debian}")
    return tuple(dict.fromkeys(places))


def mirrors(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The archives of Debian that this machine knows, without a slash at the end.

    That of KILN_DEBIAN_MIRROR comes first, then what apt is configured with, then the one that mmdebstrap asks.
    """
    given = environment.get("KILN_DEBIAN_MIRROR", "")
    sites = (*([given] if given else []), *configured(_indexes(environment)), *_of_mmdebstrap(environment))
    return tuple(dict.fromkeys(site.rstrip("/") for site in sites))


def configured(indexes: str) -> tuple[str, ...]:
    """Debian's archives in what apt says of its indexes, each once; those of other makers are left out.

    An apt that has never fetched its lists does not know whose they are: then they count.
    """
    rows = [line.partition(" ")[::2] for line in indexes.splitlines() if "://" in line]
    sites = (site for who, site in rows if who in ("Debian", ""))
    return tuple(dict.fromkeys(site for site in sites if site.startswith(("http://", "https://"))))


def route(environment: Mapping[str, str]) -> Route:
    """The proxies and certificates that apt is configured with.

    Raises UsageError where its file of certificates cannot be read, or has none.
    """
    program = shutil.which("apt-config", path=environment.get("PATH", os.defpath))
    dump = _output([program, "dump"], environment) if program else ""
    return sound(routed(dump), "apt", "Acquire::https::CaInfo in /etc/apt/apt.conf.d")


def routed(dump: str) -> Route:
    """The route in what `apt-config dump` prints. https goes as http does where it has no setting of its own."""
    proxies: dict[str, str] = {}
    cert = ""
    for scheme, key, host, value in _ACQUIRE.findall(dump):
        if key == "CaInfo":
            cert = value if scheme == "https" and not host else cert
        elif value:
            proxy = "" if value in ("DIRECT", "false") else value
            for each in (scheme, "https") if scheme == "http" else (scheme,):
                name = f"{each}://{host}" if host else each
                if each == scheme or name not in proxies:
                    proxies[name] = proxy
    return Route(proxies, cert)


def _indexes(environment: Mapping[str, str]) -> str:
    program = shutil.which("apt-get", path=environment.get("PATH", os.defpath))
    if program is None:
        return ""
    command = [program, "indextargets", "--format", _FORMAT, "Created-By: Packages"]
    return _output(command, environment)


def _output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    ).stdout


def _of_mmdebstrap(environment: Mapping[str, str]) -> Iterator[str]:
    """The archive that mmdebstrap asks where nothing else is said: other systems than Debian have it packaged, too."""
    program = shutil.which("mmdebstrap", path=environment.get("PATH", os.defpath))
    text = Path(program).read_text(encoding="utf-8", errors="replace") if program else ""
    yield from re.findall(r"^\s*my \$mirror\s*=\s*'(https?://[^'\s]+)';$", text, re.MULTILINE)[:1]
