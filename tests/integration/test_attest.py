"""What is claimed of a wheel, on the real container engine: signed and checked."""

from __future__ import annotations

import json
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
