"""What a stranger reads in a provenance, of which nothing is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiln.attest import Revision, provenance, recorded
from kiln.core import UsageError
from kiln.plan import Plan, Request, make
from kiln.recipe import Catalogue
from kiln.sources import Vault
from tests.support import repository

COMMIT, SHA256 = "1" * 40, "c" * 64


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make(Catalogue(repository.make(tmp_path / "root")), Request("toy", options={"fast": False}))


def stated(plan: Plan, folder: Path, checkout: Revision) -> dict[str, Any]:
    invocation = provenance.Invocation(checkout, 0, 1)
    value: dict[str, Any] = json.loads(
        provenance.statement("toy.whl", SHA256, plan, [], Vault(folder / "vault"), invocation)
    )
    return value


def test_a_provenance_says_what_to_check_out_and_what_to_type(plan: Plan, tmp_path: Path) -> None:
    checkout = Revision(COMMIT, "https://git.example/kiln.git", True)
    found = recorded.parse(json.dumps(stated(plan, tmp_path, checkout)), "here")
    assert (found.name, found.sha256, found.key) == ("toy.whl", SHA256, plan.key)
    assert (found.commit, found.repository, found.clean) == (COMMIT, "https://git.example/kiln.git", True)
    assert found.words[0] == "toy/1.0"
    features = f"--cpu-features={plan.variant.cpu_features}"
    assert set(found.words[1:]) == {
        "--device=cpu",
        "--base=bookworm",
        "--python=3.11",
        "--glibc=native",
        features,
    }
    assert list(found.choices({"fast": True, "parts": "all"})) == ["--no-fast"]
    assert list(found.choices({"fast": False, "parts": "few"})) == ["--parts=all"]


def test_without_a_checkout_there_is_no_commit(plan: Plan, tmp_path: Path) -> None:
    assert recorded.parse(json.dumps(stated(plan, tmp_path, Revision())), "here").commit == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("externalParameters.recipe", "--config=evil"),
        ("externalParameters.recipe", "../toy"),
        ("externalParameters.release", "1.0 --setup"),
        ("externalParameters.options", {"--setup": True}),
        ("externalParameters.variant", {"device": "$(evil)"}),
        ("externalParameters.variant", {"setup --x": "cpu"}),
        ("internalParameters.buildKey", "../../evil"),
        ("resolvedDependencies.0.digest.gitCommit", "--upload-pack=evil"),
        ("resolvedDependencies.0.uri", "git+ext::sh -c evil"),
        ("resolvedDependencies.0.uri", "git+--upload-pack=evil"),
        ("resolvedDependencies.0.uri", "git+ssh://-oProxyCommand=evil/x"),
        ("buildType", "https://another.example/build"),
    ],
)
def test_nothing_in_it_becomes_an_option_or_a_path(
    plan: Plan, tmp_path: Path, path: str, value: object
) -> None:
    whole = stated(plan, tmp_path, Revision(COMMIT, "https://git.example/kiln.git", True))
    place: Any = whole["predicate"]["buildDefinition"]
    *folders, last = path.split(".")
    for name in folders:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    with pytest.raises(UsageError):
        recorded.parse(json.dumps(whole), "here")


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json", '{"predicate": 3}'])
def test_what_is_not_a_provenance_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a provenance that Kiln wrote"):
        recorded.parse(text, "here")
