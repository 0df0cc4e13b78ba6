from __future__ import annotations

from pathlib import Path

import pytest

from kiln import consent, recipe
from kiln.console import Console
from kiln.errors import UsageError
from kiln.home import Home
from kiln.source import DebianOrigin, Source
from tests.repository import ROOT

OURS = consent.Terms("LicenseRef-Acme", "Acme's terms", "https://acme.example/terms", "no copies")


def home(tmp_path: Path) -> Home:
    return Home.of({"KILN_HOME": str(tmp_path / "home")})


def test_a_licence_is_shown_and_refused_until_it_is_accepted_once(tmp_path: Path) -> None:
    where, console = home(tmp_path), Console()
    with pytest.raises(UsageError) as caught:
        consent.require([OURS], where, False, console)
    assert "https://acme.example/terms" in str(caught.value)
    assert consent.OPTION in str(caught.value) and consent.VARIABLE in str(caught.value)
    consent.require([OURS], where, True, console)
    consent.require([OURS], where, False, console)


def test_other_terms_under_the_same_name_are_asked_for_again(tmp_path: Path) -> None:
    where, console = home(tmp_path), Console()
    consent.require([OURS], where, True, console)
    changed = consent.Terms(OURS.id, OURS.title, "https://acme.example/terms-2", OURS.note)
    with pytest.raises(UsageError, match="terms-2"):
        consent.require([changed], where, False, console)


def test_nothing_is_asked_where_nothing_needs_it(tmp_path: Path) -> None:
    consent.require([], home(tmp_path), False, Console())


@pytest.mark.parametrize(
    ("option", "variable", "accepted"),
    [(False, None, False), (False, "0", False), (False, "", False), (False, "1", True), (True, None, True)],
)
def test_a_machine_accepts_by_its_environment(option: bool, variable: str | None, accepted: bool) -> None:
    environment = {} if variable is None else {consent.VARIABLE: variable}
    assert consent.given(option, environment) is accepted


def test_the_terms_of_sources_are_those_that_are_listed() -> None:
    origin = DebianOrigin("pool/a/a.deb", "a" * 64)
    free = Source("free", (origin,), license="MIT")
    ruled = Source("nvcc", (origin,), license="LicenseRef-NVIDIA-CUDA")
    assert consent.terms(ROOT, [free]) == ()
    assert [each.id for each in consent.terms(ROOT, [free, ruled, ruled])] == ["LicenseRef-NVIDIA-CUDA"]


def test_every_file_of_nvidias_is_under_terms_that_are_asked_for() -> None:
    for name in recipe.names(ROOT):
        for version in recipe.versions(ROOT, name):
            for source in recipe.load(ROOT, name, version).sources:
                if source.license and "NVIDIA" in source.license:
                    assert consent.terms(ROOT, [source]), f"{name} {version}: {source.name}"
