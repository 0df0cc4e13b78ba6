"""What is claimed of a wheel, on the real container engine: signed, checked, and built again by a stranger."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

from kiln.index import server
from tests.support.house import House

INV = f'#!/bin/sh\nexec {sys.executable} "$(dirname "$0")/tasks.py" "$@"\n'


def claims(house: House, target: Path | str, *options: str) -> dict[str, bool | None]:
    done = house.run("check", str(target), *options, "--json")
    assert done.returncode == 0, done.stderr
    return {each["what"]: each["holds"] for row in json.loads(done.stdout) for each in row["claims"]}


def refused(house: House, *arguments: str) -> str:
    done = house.run(*arguments)
    assert done.returncode == 5 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_a_signed_build_is_checked_under_dist_and_in_a_served_index(built: House, tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert built.run("sign", "--new-key", str(key)).returncode == 0
    unsigned = built.run("build", "toy")
    assert "signed   no" in unsigned.stderr
    assert claims(built, built.wheel())["signature"] is None
    signed = built.run("build", "toy", "--sign", str(key))
    assert signed.returncode == 0 and "signed   no" not in signed.stderr, signed.stderr
    about = built.wheel().parent

    provenance = json.loads((about / "provenance.intoto.jsonl").read_text())
    subject = [ResourceDescriptor(**each).pb for each in provenance["subject"]]
    Statement(subject, provenance["predicateType"], provenance["predicate"]).validate()
    json_format.ParseDict(provenance["predicate"], Provenance())
    assert not JsonStrictValidator(SchemaVersion.V1_6).validate_str((about / "sbom.cdx.json").read_text())

    expected = dict.fromkeys(
        ("files", "wheel", "build key", "provenance", "sbom", "signature", "smoke"), True
    ) | {"reproduced": None}
    assert claims(built, built.wheel(), "--key", f"{key}.pub") == expected
    index = tmp_path / "index"
    made = built.run("index", "--output", str(index), "--sign", str(key))
    assert made.returncode == 0, made.stderr
    with server.serve(index, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{running.server_address[1]}"
        listed = {"signed list": True, "version": True, "index": True}
        assert claims(built, address, "--key", f"{key}.pub") == {**expected, **listed}
        (page,) = index.glob("simple/toy/index.html")
        page.write_text(page.read_text() + " ")
        assert "simple/toy/index.html" in refused(built, "check", address, "--key", f"{key}.pub")
        running.shutdown()

    with built.wheel().open("ab") as wheel:
        wheel.write(b" ")
    assert "is not what was recorded" in refused(built, "check", str(about))


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@x.example"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


def test_a_stranger_builds_a_wheel_again_from_its_provenance_alone(house: House, tmp_path: Path) -> None:
    (house.root / "inv").write_text(INV)
    (house.root / "requirements").mkdir()
    (house.root / "requirements/run.txt").write_text("# what Kiln needs\n")
    (house.root / ".gitignore").write_text("dist/\n__pycache__/\n")
    git(house.root, "init")
    git(house.root, "add", ".")
    git(house.root, "commit", "-m", "toy")
    made = house.run("build", "toy", "--ending", "fine")
    assert made.returncode == 0, made.stderr
    published = tmp_path / "provenance.intoto.jsonl"
    (wheel,) = (house.root / "dist").glob("*/*/*/*.whl")
    text = wheel.with_name(published.name).read_text()
    published.write_text(text)

    stranger = House(tmp_path / "clone", tmp_path / "stranger")
    subprocess.run(["git", "clone", "-q", house.root, stranger.root], check=True)
    # The commit is not what is checked out, nor what is newest.
    (stranger.root / "docker/opencv/compile.sh").write_text("exit 1\n")
    (stranger.root / "requirements/run.txt").write_text("# what a later one needs\n")
    git(stranger.root, "commit", "-am", "later")
    stranger.home.mkdir()
    (stranger.home / "sources").symlink_to((house.home / "sources").readlink())
    other = json.loads(text)
    other["subject"][0]["digest"]["sha256"] = "0" * 64
    published.write_text(json.dumps(other))
    assert "not equal" in refused(stranger, "rebuild", str(published))
    (kept,) = (stranger.home / "rebuilds").iterdir()
    other["predicate"]["buildDefinition"]["externalParameters"]["options"]["ending"] = "good"
    published.write_text(json.dumps(other))
    assert "gives another plan" in refused(stranger, "rebuild", str(published))

    published.write_text(text)
    refused_offline = stranger.run("rebuild", str(published), "--offline")
    assert refused_offline.returncode == 2
    assert "needs other Python packages than this one" in refused_offline.stderr
    shutil.copy(house.root / "requirements/run.txt", stranger.root / "requirements/run.txt")
    # What others could have a part in is not even looked at.
    others = dict.fromkeys(("KILN_REMOTE_CACHE", "KILN_REMOTE_EXECUTOR", "KILN_DISTCC"), "nonsense")
    done = stranger.run("rebuild", str(published), "--offline", "--jobs", "1", **others)
    assert done.returncode == 0 and f"equal    {wheel.name}" in done.stderr, done.stderr
    assert not kept.exists()
