from __future__ import annotations

from pathlib import Path

import pytest

from kiln.core.console import Console
from kiln.core.errors import UsageError
from kiln.core.home import Home
from kiln.recipe import Catalogue
from kiln.recipe.source import DebianOrigin, Source
from kiln.sources import licences
from tests.support.repository import ROOT

OURS = licences.Terms("LicenseRef-Acme", "Acme's terms", "https://acme.example/terms", "no copies")


def home(tmp_path: Path) -> Home:
    return Home.of({"KILN_HOME": str(tmp_path / "home")})


def test_a_licence_is_shown_and_refused_until_it_is_accepted_once(tmp_path: Path) -> None:
    where, console = home(tmp_path), Console()
    with pytest.raises(UsageError) as caught:
        licences.require([OURS], where, False, console)
    assert "https://acme.example/terms" in str(caught.value)
    assert licences.OPTION in str(caught.value) and licences.VARIABLE in str(caught.value)
    licences.require([OURS], where, True, console)
    licences.require([OURS], where, False, console)


def test_other_terms_under_the_same_name_are_asked_for_again(tmp_path: Path) -> None:
    where, console = home(tmp_path), Console()
    licences.require([OURS], where, True, console)
    changed = licences.Terms(OURS.id, OURS.title, "https://acme.example/terms-2", OURS.note)
    with pytest.raises(UsageError, match="terms-2"):
        licences.require([changed], where, False, console)


def test_nothing_is_asked_where_nothing_needs_it(tmp_path: Path) -> None:
    licences.require([], home(tmp_path), False, Console())


@pytest.mark.parametrize(
    ("option", "variable", "accepted"),
    [(False, None, False), (False, "0", False), (False, "", False), (False, "1", True), (True, None, True)],
)
def test_a_machine_accepts_by_its_environment(option: bool, variable: str | None, accepted: bool) -> None:
    environment = {} if variable is None else {licences.VARIABLE: variable}
    assert licences.given(option, environment) is accepted


def test_the_terms_of_sources_are_those_that_are_listed() -> None:
    origin = DebianOrigin("pool/a/a.deb", "a" * 64)
    free = Source("free", (origin,), license="MIT")
    ruled = Source("nvcc", (origin,), license="LicenseRef-NVIDIA-CUDA")
    assert licences.terms(ROOT, [free]) == ()
    assert [each.id for each in licences.terms(ROOT, [free, ruled, ruled])] == ["LicenseRef-NVIDIA-CUDA"]


def test_every_file_of_nvidias_is_under_terms_that_are_asked_for() -> None:
    for name in Catalogue(ROOT).names():
        for version in Catalogue(ROOT).releases(name):
            for source in Catalogue(ROOT).load(name, version).sources:
                if source.license and "NVIDIA" in source.license:
                    assert licences.terms(ROOT, [source]), f"{name} {version}: {source.name}"
