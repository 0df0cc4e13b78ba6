"""Writes into a wheel what is really inside it, as CycloneDX 1.6 (PEP 770): .dist-info/sboms/kiln.cdx.json.

The same wheel and parts give the same bytes: there is no time in it, and its serial number is made of its content.
"""

import email
import hashlib
import io
import json
import os
import re
import sys
import uuid
import zipfile
from pathlib import Path

NAME = "kiln.cdx.json"
PARTS = Path("/kiln/build/parts.json")  # every pinned input of the build
LINKED = Path("/kiln/build/linked.json")  # which of them are inside, where the recipe's packing step knows it

# A licence as an SPDX expression; any other text is a name.
EXPRESSION = re.compile(r"\(?[A-Za-z0-9.+-]+\)?( (AND|OR|WITH) \(?[A-Za-z0-9.+-]+\)?)*")


def bom(wheel: bytes, license: str, parts: list, linked: "list | None") -> str:
    """The SBOM of a wheel as JSON.

    `parts` are the pinned inputs. `linked` says what is inside: each with `how`, and either `part`, the name of an input,
    or a name, version and licence of its own, for a library that an input carries. Without it every input is listed, as
    an upper bound. What auditwheel has grafted into the wheel is taken from its own SBOM.
    """
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        info = _info(archive)
        fields = email.message_from_bytes(archive.read(info + "METADATA"))
        grafted = info + "sboms/auditwheel.cdx.json"
        others = json.loads(archive.read(grafted))["components"] if grafted in archive.namelist() else []
    name, version = fields["Name"], fields["Version"]
    purl = "pkg:pypi/{}@{}".format(re.sub(r"[-_.]+", "-", name).lower(), version.replace("+", "%2B"))
    known = {each["name"]: each for each in parts}
    if linked is None:
        listed = [{"part": each["name"], "how": "an input of the build", "bound": "upper"} for each in parts]
    else:
        listed = linked
    found = [_component(each, known) for each in listed]
    # The wheel itself is the first component of auditwheel's list.
    found += [
        dict(each, **{"bom-ref": "grafted-" + each["name"]}) for each in others if each.get("name") != name
    ]
    found.sort(key=lambda each: (each["name"], each.get("version", ""), json.dumps(each, sort_keys=True)))
    for number, each in enumerate(found):
        each["bom-ref"] = "{}-{}".format(number + 1, each["name"])
    root = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
    if license:
        root["licenses"] = _licences(license)
    value = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"tools": {"components": [{"type": "application", "name": "kiln"}]}, "component": root},
        "components": found,
        "dependencies": [{"ref": purl, "dependsOn": [each["bom-ref"] for each in found]}],
    }
    text = json.dumps(value, sort_keys=True).encode()
    number = uuid.UUID(bytes=hashlib.sha256(text).digest()[:16], version=5)
    return json.dumps(dict(value, serialNumber="urn:uuid:{}".format(number)), sort_keys=True, indent=1) + "\n"


def _component(listed: dict, parts: dict) -> dict:
    """A library, with what is known of the input that it is, or that carries it."""
    part = parts.get(listed.get("part", ""), {})
    own = {
        key: listed.get(key) or ("" if "name" in listed else part.get(key, ""))
        for key in ("version", "license", "purl")
    }
    properties = {
        "kiln:how": listed["how"],
        "kiln:bound": listed.get("bound", "exact"),
        "kiln:part": part.get("name", "") if "name" in listed else "",
        "kiln:tree": part.get("tree", ""),
        "kiln:insteadOf": part.get("instead_of", ""),
    }
    component = {
        "type": "library",
        "name": listed.get("name") or listed["part"],
        "properties": [{"name": name, "value": value} for name, value in properties.items() if value],
    }
    component.update({key: own[key] for key in ("version", "purl") if own[key]})
    if own["license"]:
        component["licenses"] = _licences(own["license"])
    if part.get("sha256") and "name" not in listed:
        component["hashes"] = [{"alg": "SHA-256", "content": part["sha256"]}]
    return component


def _licences(text: str) -> list:
    return [{"expression": text}] if EXPRESSION.fullmatch(text) else [{"license": {"name": text}}]


def _info(archive: zipfile.ZipFile) -> str:
    """The .dist-info folder of a wheel, with its slash."""
    (record,) = [each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", each)]
    return record[: -len("RECORD")]


def add(wheel: bytes, text: str) -> bytes:
    """The wheel with its SBOM. RECORD keeps its content, because normalise.py, which comes next, writes it again."""
    output = io.BytesIO(wheel)
    with zipfile.ZipFile(output, "a") as archive:
        archive.writestr(_info(archive) + "sboms/" + NAME, text)
    return output.getvalue()


def main(path: str) -> None:
    wheel = Path(path).read_bytes()
    described = json.loads(PARTS.read_text(encoding="utf-8"))
    linked = json.loads(LINKED.read_text(encoding="utf-8")) if LINKED.exists() else None
    text = bom(wheel, described["license"], described["parts"], linked)
    Path(path).write_bytes(add(wheel, text))
    print("{}: {} parts in its SBOM".format(os.path.basename(path), text.count('"bom-ref"') - 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
