"""Projects of one module, and a lock that pins them by hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest


def wheel(folder: Path, project: str, value: int = 1) -> Path:
    """A wheel with one module that has a VALUE."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{project}.py", f"VALUE = {value}\n")
        info = f"{project}-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{project}.py,,\n")
    path = folder / f"{project}-1.0-py3-none-any.whl"
    path.write_bytes(content.getvalue())
    return path


def pin(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name.partition('-')[0]}==1.0 \\\n    --hash=sha256:{digest}\n"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of two projects, whose wheels are in the folder `links`."""
    path = tmp_path / "lock.txt"
    path.write_text(
        "".join(pin(wheel(tmp_path / "links", name)) for name in ("one", "two")), encoding="utf-8"
    )
    return path
