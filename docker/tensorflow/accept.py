"""Makes Bazel use a stand-in for the published archive of an external, whose sha256 is in the workspace.

In the calls of TensorFlow's own rules, which add BUILD files and patches, the sha256 is replaced. Bazel's own rule adds
nothing, and another repository may call it before the workspace does: there the repository is unpacked and overridden.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

EXTERNALS = Path("/kiln/build/externals")


def rule(name: str) -> "re.Pattern[str]":
    """Matches the call of a rule that declares the repository `name`, from its first line to its last."""
    other = r"(?:(?!\1\)).*\n)*?"
    return re.compile(r'^( *)\w+\(\n{}\s*name = "{}",\n{}\1\)'.format(other, re.escape(name), other), re.M)


def accept(text: str, name: str, sha256: str) -> str:
    """A .bzl file in which the rule for `name` has another sha256; the same text if it has no such rule.

    Raises ValueError if the rule does not have exactly one sha256.
    """

    def changed(found: "re.Match[str]") -> str:
        # A hash, or the name of a constant with the hash.
        hashes = r'"[0-9a-f]{64}"|(?<=sha256 = )[A-Z][A-Z0-9_]*'
        block, count = re.subn(hashes, '"{}"'.format(sha256), found.group(0))
        if count != 1:
            raise ValueError("the rule for {} has {} hashes instead of one".format(name, count))
        return block

    return rule(name).sub(changed, text)


def unpack(text: str, name: str, archive: Path, folder: Path) -> Path:
    """Unpack the repository `name` of a WORKSPACE file; the result is its folder, below the prefix that its rule strips."""
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
            print("{}: a stand-in, whose sha256 is now in {}".format(name, file.relative_to(workspace)))
            return
    folder = unpack((workspace / "WORKSPACE").read_text(encoding="utf-8"), name, archive, EXTERNALS)
    with rc.open("a", encoding="utf-8") as file:
        file.write("build --override_repository={}={}\n".format(name, folder))
    print("{}: a stand-in, unpacked and overridden".format(name))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
