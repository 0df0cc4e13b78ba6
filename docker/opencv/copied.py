"""The licences of the base's own libraries that are copied into the wheel, and the offer of their source."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

# Texts that a package's copyright names and does not have in it.
TEXTS = Path("/usr/share/common-licenses")

OFFER = """\
These libraries are in the wheel as Debian has them, under names of their own. They are free software: their licences are in
the files that end in -copyright beside this one, and the texts that these name, such as that of the GNU Lesser General
Public License, are there, too. They are files of their own, so that you can put a version that you have modified in their
place.

The complete source of each is the package of Debian's archive that stands before it. Who gives you this wheel also gives
you, or anybody who has it, on request and for at least three years, that source, for no more than what it costs to hand it
over.

"""


def everywhere(tools: Path) -> "set[str]":
    """The libraries that every system has, by auditwheel: they are not copied."""
    (file,) = tools.glob("lib/python*/site-packages/auditwheel/policy/manylinux-policy.json")
    policies = json.loads(file.read_text(encoding="utf-8"))
    return {name for policy in policies for name in policy["lib_whitelist"]}


def copied(files: "list[Path]", kept: "set[str]") -> "list[str]":
    """The paths of the libraries that these files load, without those of `kept` and what only these load; sorted."""
    found, pending = {}, list(map(str, files))
    while pending:
        path = pending.pop()
        known = dict(re.findall(r"(\S+) => (/\S+)", _output("ldd", path)))
        for name in re.findall(r"NEEDED\s+(\S+)", _output("objdump", "--private-headers", path)):
            if name in known and name not in kept and not name.startswith("ld-") and name not in found:
                found[name] = known[name]
                pending.append(known[name])
    return sorted(found.values())


def owners(paths: "list[str]") -> "dict[str, list[str]]":
    """The names of these libraries by the package that has them."""
    found = {}
    for path in paths:
        # The folder lib, where dpkg may have it, is a link here.
        package = _output("dpkg", "--search", "*/" + os.path.basename(os.path.realpath(path))).partition(":")[
            0
        ]
        found.setdefault(package, []).append(os.path.basename(path))
    return found


def main(stage: str, licences: str, required: str) -> None:
    kept = everywhere(Path(os.environ["KILN_TOOLS"])) | set(required.split())
    found = owners(copied(sorted(Path(stage).rglob("*.so")), kept))
    lines, named = [], set()
    for package, names in sorted(found.items()):
        text = Path("/usr/share/doc", package, "copyright").read_text(encoding="utf-8", errors="replace")
        Path(licences, package + "-copyright").write_text(text, encoding="utf-8")
        named |= set(re.findall(r"common-licenses/([\w.-]*[\w])", text))
        source = _output(
            "dpkg-query", "--show", "--showformat", "${source:Package} ${source:Version}", package
        )
        lines.append("{}: {}\n".format(source, ", ".join(sorted(names))))
    for name in sorted(named & {each.name for each in TEXTS.iterdir()}):
        text = (TEXTS / name).read_text(encoding="utf-8")
        Path(licences, name + ".txt").write_text(text, encoding="utf-8")
    Path(licences, "copied-SOURCE.txt").write_text(OFFER + "".join(sorted(lines)), encoding="utf-8")
    print("copied: the licences of {} packages, and {} texts".format(len(found), len(named)))


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
