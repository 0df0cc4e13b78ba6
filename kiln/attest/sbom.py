"""The SBOM that a wheel carries."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

_NAME = re.compile(r"[^/]+\.dist-info/sboms/kiln\.cdx\.json")


def sbom_of(wheel: Path) -> str | None:
    """The SBOM in a wheel, as it was written when the wheel was made; None where there is none."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if _NAME.fullmatch(name):
                return archive.read(name).decode("utf-8")
    return None
