"""Tells a Bazel workspace the sha256 of the archive that stands in for an external's published one."""

import hashlib
import re
import sys
from pathlib import Path


def accept(text: str, name: str, sha256: str) -> str:
    """A .bzl or WORKSPACE file in which the rule for `name` has another sha256; the same text without that rule.

    Raises ValueError where the rule has no sha256.
    """
    rule = re.compile(
        r'^( *)\w+\(\n(?:(?!\1\)).*\n)*?\s*name = "{}",\n(?:(?!\1\)).*\n)*\1\)'.format(re.escape(name)), re.M
    )

    def changed(found):
        block, count = re.subn(r'(\bsha256 = ")[0-9a-f]{64}(")', r"\g<1>{}\2".format(sha256), found.group(0))
        if count != 1:
            raise ValueError("the rule for {} has {} hashes, not one".format(name, count))
        return block

    return rule.sub(changed, text)


def main(workspace: Path, name: str, archive: Path) -> None:
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    files = [workspace / "WORKSPACE", workspace / "tensorflow" / "workspace.bzl"]
    files += sorted((workspace / "third_party").glob("*/workspace.bzl"))
    done = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        other = accept(text, name, sha256)
        if other != text:
            file.write_text(other, encoding="utf-8")
            done.append(file)
    if not done:
        sys.exit("kiln-error: no rule of the workspace downloads {}".format(name))
    print("{}: {} in {}".format(name, sha256, ", ".join(map(str, done))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
