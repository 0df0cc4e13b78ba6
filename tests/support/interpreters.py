"""Interpreters of this machine, for builds with --python-prefix."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def prefix(version: str) -> Path | None:
    """Where a Python `version` ("3.7") is installed: the one in KILN_TEST_PYTHON37, in PATH, or of pyenv."""
    named = os.environ.get(f"KILN_TEST_PYTHON{version.replace('.', '')}")
    installed = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
    for program in (named, shutil.which(f"python{version}"), *map(str, installed)):
        if program:
            code = "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"
            said = subprocess.run([program, "-c", code], capture_output=True, text=True)
            found, _, folder = said.stdout.strip().partition(" ")
            if said.returncode == 0 and found == version:
                return Path(folder)
    return None
