"""The interpreter a wheel is built for: the base's own, one at a prefix, or one built from source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiln.core import UsageError
from kiln.recipe import Source

# Where an interpreter built from source lies in every container.
SOURCE_PREFIX = "/kiln/python"


@dataclass(frozen=True)
class Interpreter:
    """`prefix` is the folder on this machine that is mounted at the same path (kind `prefix` only).

    `digest` says what the interpreter is: the toolchain's own is covered by the toolchain's digest.
    """

    kind: Literal["base", "prefix", "source"]
    version: str
    executable: str
    digest: str = ""
    prefix: str = ""

    @property
    def identity(self) -> dict[str, str]:
        """What of it enters the build key."""
        return {
            "kind": self.kind,
            "version": self.version,
            "executable": self.executable,
            "digest": self.digest,
        }


def choose(version: str, base_version: str, prefix: str, sources: Iterable[Source]) -> Interpreter:
    """The interpreter for Python `version` ("3.11") on a base whose own is `base_version`.

    Raises UsageError where `prefix` holds no such interpreter, or where there is nothing to take it from.
    """
    if prefix:
        return _at_prefix(version, Path(prefix))
    if version == base_version:
        return Interpreter("base", version, f"/usr/bin/python{version}")
    for source in sources:
        if source.name == "cpython":
            return Interpreter("source", version, f"{SOURCE_PREFIX}/bin/python{version}", source.digest)
    raise UsageError(
        f"the base has Python {base_version}, and the recipe pins no source of CPython {version}",
        f"give an interpreter with --python-prefix DIR (the folder that holds bin/python{version})",
    )


def _at_prefix(version: str, prefix: Path) -> Interpreter:
    prefix = prefix.expanduser().absolute()
    executable = prefix / "bin" / f"python{version}"
    if not executable.is_file():
        raise UsageError(
            f"--python-prefix {prefix} holds no bin/python{version}",
            f"give the folder that "
            f"`python{version} -c 'import sys; print(sys.base_prefix)'` prints, or another --python",
        )
    return Interpreter("prefix", version, str(executable), _prefix_digest(version, prefix), str(prefix))


def _prefix_digest(version: str, prefix: Path) -> str:
    """A digest over what decides the result: the program, its library, its headers, its settings."""
    patterns = (
        f"bin/python{version}",
        "lib/libpython*",
        f"lib/python{version}/config-*/Makefile",
        f"lib/python{version}/_sysconfigdata*.py",
        f"include/python{version}*/**/*.h",
    )
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in prefix.glob(pattern) if path.is_file()}):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{content} {path.relative_to(prefix).as_posix()}\n".encode())
    return digest.hexdigest()
