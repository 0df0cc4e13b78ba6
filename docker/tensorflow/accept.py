"""Makes Bazel take an archive that stands in for an external's published one, whose sha256 the workspace records.

TensorFlow's own rules, which add BUILD files and patches, are told the other sha256. Bazel's own rule may be called
by another repository before the workspace calls it, and adds nothing: its repository is unpacked, and overridden.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

EXTERNALS = Path("/kiln/build/externals")


def rule(name: str) -> "re.Pattern[str]":
    """The call of a rule that declares the repository `name`, from its own line to the closing one."""
    other = r"(?:(?!\1\)).*\n)*?"
    return re.compile(r'^( *)\w+\(\n{}\s*name = "{}",\n{}\1\)'.format(other, re.escape(name), other), re.M)


def accept(text: str, name: str, sha256: str) -> str:
    """A .bzl file in which the rule for `name` has another sha256; the same text where it has no such rule.

    Raises ValueError where the rule has no sha256.
    """

    def changed(found: "re.Match[str]") -> str:
        # A hash, or the name of a constant that has it.
        hashes = r'"[0-9a-f]{64}"|(?<=sha256 = )[A-Z][A-Z0-9_]*'
        block, count = re.subn(hashes, '"{}"'.format(sha256), found.group(0))
        if count != 1:
            raise ValueError("the rule for {} has {} hashes, not one".format(name, count))
        return block

    return rule(name).sub(changed, text)


def unpack(text: str, name: str, archive: Path, folder: Path) -> Path:
    """The repository `name` of a WORKSPACE file as a folder, without the prefix that its rule strips."""
    found = rule(name).search(text)
    prefix = re.search(r'strip_prefix = "([^"]*)"', found.group(0)) if found else None
    shutil.rmtree(str(folder / name), ignore_errors=True)
    shutil.unpack_archive(str(archive), str(folder / name))
    return folder / name / (prefix.group(1) if prefix else "")


def main(workspace: Path, rc: Path, archive: Path) -> None:
    name = archive.name.partition(".")[0]
    for file in [
        workspace / "tensorflow" / "workspace.bzl",
        *(workspace / "third_party").glob("*/workspace.bzl"),
    ]:
        text = file.read_text(encoding="utf-8")
        if rule(name).search(text):
            other = accept(text, name, hashlib.sha256(archive.read_bytes()).hexdigest())
            file.write_text(other, encoding="utf-8")
            print("{}: another archive, told to {}".format(name, file.relative_to(workspace)))
            return
    folder = unpack((workspace / "WORKSPACE").read_text(encoding="utf-8"), name, archive, EXTERNALS)
    with rc.open("a", encoding="utf-8") as file:
        file.write("build --override_repository={}={}\n".format(name, folder))
    print("{}: another archive, unpacked and overridden".format(name))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
