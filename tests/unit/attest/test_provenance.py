from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

from kiln.attest import Revision, provenance, revision_of
from kiln.plan import Plan, Request, make
from kiln.recipe import Catalogue
from kiln.sources import Obtained, Vault
from tests.support import repository

CANARY = "s3cret-canary"
SHA256 = "c" * 64


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make(Catalogue(repository.make(tmp_path / "root")), Request("toy", options={"fast": False}))


def stated(plan: Plan, vault: Vault, checkout: Revision = Revision("1" * 40, "", True)) -> dict[str, Any]:  # noqa: B008
    obtained = [
        Obtained(source, vault.path(source.digest), str(source.origins[0]), source.origins[0])
        for source in plan.sources
    ]
    text = provenance.statement(
        "toy.whl", SHA256, plan, obtained, vault, provenance.Invocation(checkout, 0, 3600.5)
    )
    assert text.count("\n") == 1 and text.endswith("\n")
    value: dict[str, Any] = json.loads(text)
    return value


def test_it_is_an_in_toto_statement_with_slsa_provenance_by_the_standards_own_library(
    plan: Plan, tmp_path: Path
) -> None:
    value = stated(plan, Vault(tmp_path / "vault"), Revision("1" * 40, "https://git.example/kiln", False))
    subject = [ResourceDescriptor(**each).pb for each in value["subject"]]
    Statement(subject, value["predicateType"], value["predicate"]).validate()
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    message = json_format.ParseDict(value["predicate"], Provenance())  # refuses a field that is not SLSA's
    assert message.run_details.metadata.finished_on.seconds == 3600


def test_what_others_could_write_to_is_named_without_a_login(plan: Plan) -> None:
    invocation = provenance.Invocation(
        Revision("1" * 40, "", True),
        0,
        1,
        {
            "sharedCache": "http://me:secret@cache.example:8080",
            "remoteExecutor": "grpc://engine.example:50051",
            "distcc": "one.example:3632,two.example:3632",
        },
    )
    value = json.loads(provenance.statement("toy.whl", SHA256, plan, (), Vault(Path("none")), invocation))
    found = value["predicate"]["buildDefinition"]["internalParameters"]
    assert found["sharedCache"] == "http://cache.example:8080"
    assert found["remoteExecutor"] == "grpc://engine.example:50051"
    assert found["distcc"] == "one.example:3632,two.example:3632"


def test_every_input_is_in_it_with_its_hash(plan: Plan, tmp_path: Path) -> None:
    value = stated(plan, Vault(tmp_path / "vault"))
    definition = value["predicate"]["buildDefinition"]
    found = {each["name"]: each for each in definition["resolvedDependencies"]}
    assert found["kiln"]["digest"] == {"gitCommit": "1" * 40} and found["kiln"]["annotations"]["clean"]
    assert found["toy"]["uri"] == "https://toy.example/toy-1.0.tar.gz"
    assert found["extra"]["uri"] == "pkg:pypi/extra@1.0?file_name=extra-1.0.tar.gz"
    hashes = {each["digest"].get("sha256") for each in definition["resolvedDependencies"]}
    assert {source.digest for source in plan.sources} <= hashes
    assert {file.sha256 for file in plan.scripts} <= hashes
    assert {image.root for image in plan.toolchain.images} <= hashes
    assert {package.sha256 for image in plan.toolchain.images for package in image.packages} <= hashes
    asked = definition["externalParameters"]
    assert (asked["recipe"], asked["release"]) == ("toy", "1.0")
    assert asked["options"] == {"fast": False, "parts": "all"} and asked["variant"]["python"] == "3.11"
    assert definition["internalParameters"]["buildKey"] == plan.key


def test_it_says_where_a_file_really_came_from_without_what_is_secret(plan: Plan, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    toy, extra = plan.sources
    vault.record_origin(toy.digest, f"https://me:{CANARY}@mirror.example/toy.tar.gz?token={CANARY}#{CANARY}")
    vault.record_origin(
        extra.digest, f"pypi: extra, extra-1.0.tar.gz, in https://{CANARY}@mirror.example/simple"
    )
    text = json.dumps(stated(plan, vault))
    assert CANARY not in text
    assert '"obtainedFrom": "https://mirror.example/toy.tar.gz"' in text
    assert '"obtainedFrom": "pypi: extra, extra-1.0.tar.gz, in https://mirror.example/simple"' in text
    vault.record_origin(toy.digest, f"/home/{CANARY}/toy.tar.gz")
    text = json.dumps(stated(plan, vault))
    assert CANARY not in text and "a file of the building machine" in text


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@x.example"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


def test_the_checkout_is_clean_only_where_all_files_are_the_commits(tmp_path: Path) -> None:
    root = repository.make(tmp_path / "root")
    assert revision_of(root) == Revision()
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "x")
    found = revision_of(root)
    assert len(found.commit) == 40 and found.clean and found.repository == ""
    assert revision_of(root / "recipes") == Revision()  # a folder inside is not the checkout
    (root / "docker/common/new.sh").write_text("new")
    assert not revision_of(root).clean


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        (f"https://me:{CANARY}@git.example/kiln.git?x={CANARY}", "https://git.example/kiln.git"),
        ("git@git.example:team/kiln.git", "ssh://git.example/team/kiln.git"),
        ("/home/me/kiln", ""),
    ],
)
def test_a_remote_is_recorded_without_a_login(tmp_path: Path, remote: str, url: str) -> None:
    root = repository.make(tmp_path / "root")
    git(root, "init")
    git(root, "remote", "add", "origin", remote)
    assert revision_of(root).repository == url
