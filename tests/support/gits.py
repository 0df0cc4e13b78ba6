"""Real git repositories, and the archives that a forge would make of them."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from pathlib import Path

from kiln.recipe.source import GitOrigin

WINTER = "1577880000 +0000"  # 2020-01-01 12:00:00


def git(folder: Path, *arguments: str, zone: str = "UTC") -> str:
    environment = {
        **os.environ, "GIT_AUTHOR_DATE": WINTER, "GIT_COMMITTER_DATE": WINTER, "TZ": zone,
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", folder, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class Repository:
    """A repository `owner/name` under a folder, with one commit of some files."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.path = folder / "owner" / "name"
        self.path.mkdir(parents=True)
        git(self.path, "init", "--quiet", "--initial-branch=main")
        self.commit = self.add(files)

    def add(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text, encoding="utf-8")
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "--message=x")
        return git(self.path, "rev-parse", "HEAD")

    def bare(self, folder: Path) -> Path:
        """A bare mirror of it as owner/name.git."""
        target = folder / "owner" / "name.git"
        git(self.path, "clone", "--quiet", "--mirror", f"file://{self.path}", str(target))
        return target

    def forge_archive(self, format: str = "tar.gz", zone: str = "XXX8", commit: str = "HEAD") -> bytes:
        """What the forge serves: gzip without name and time; zip with the times of its own zone."""
        target = self.path / ".git" / "made"
        plain = "zip" if format == "zip" else "tar"
        git(
            self.path,
            "archive",
            f"--format={plain}",
            "--prefix=name-1/",
            "-o",
            str(target),
            commit,
            zone=zone,
        )
        if format == "zip":
            return target.read_bytes()
        packed = subprocess.run(["gzip", "-cn", target], check=True, capture_output=True).stdout
        assert gzip.decompress(packed) == target.read_bytes()
        return packed

    def origin(self, archive: bytes, format: str = "tar.gz", sized: bool = True) -> GitOrigin:
        return GitOrigin(
            git="https://forge.example/owner/name",
            commit=self.commit,
            prefix="name-1/",
            format=format,  # type: ignore[arg-type]
            sha256=hashlib.sha256(archive).hexdigest(),
            size=len(archive) if sized else None,
        )
