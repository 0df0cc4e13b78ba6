from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path

from rich.console import Console as Rich

from kiln.commands import doctor
from kiln.core import Console, Finding, Home
from kiln.engine import gpu
from kiln.plan import Request
from kiln.recipe import Catalogue
from kiln.sources import FetchSettings, Vault
from tests.support import repository
from tests.support import wheels as wheels_
from tests.support.command import run
from tests.support.house import NO_ENGINE
from tests.support.repository import RECIPE, ROOT

DATA = b"the source"
TOY = RECIPE.replace("a" * 64, hashlib.sha256(DATA).hexdigest())


def settings(home: Path, **changed: bool) -> doctor.DoctorSettings:
    environment = {**os.environ, **NO_ENGINE, "KILN_HOME": str(home)}
    fetching = FetchSettings(offline=True, environment=environment, fallbacks=())
    return doctor.DoctorSettings(environment, fetching, 1, **changed)


def examined(root: Path, home: Path, recipe: str = "toy", **asked: str) -> list[Finding]:
    return list(doctor.findings(Catalogue(root), Request(recipe, **asked), settings(home)))  # type: ignore[arg-type]


def row(found: list[Finding], what: str) -> Finding:
    (only,) = (each for each in found if each.what == what)
    return only


def test_a_machine_is_examined_without_a_recipe(tmp_path: Path) -> None:
    found = examined(repository.make(tmp_path / "root"), tmp_path / "home", "")
    assert {"engine", "kernel", "control groups", "disk", "memory", "clock", "proxies"} <= {
        each.what for each in found
    }
    assert not row(found, "engine").good
    assert "plan" not in {each.what for each in found}
    # Each says what to do.
    assert all(each.good or each.cure for each in found)


def test_what_of_a_recipe_is_not_in_the_vault_is_named_with_who_would_supply_it(tmp_path: Path) -> None:
    root = repository.make(tmp_path / "root", TOY)
    found = examined(root, tmp_path / "home")
    assert row(found, "plan").found == "toy 1.0, cp311-cpu-bookworm-sse4.2"
    assert row(found, "sources").found == "0 of 1 in the vault; 1 are missing (0.0 MB)"
    lines = [each for each in found if each.what == "missing"]
    assert any(each.found == "toy: nobody can be asked" and "--folder" in each.cure for each in lines)
    online = doctor.DoctorSettings(os.environ, FetchSettings(environment={"PATH": ""}, fallbacks=()), 1)
    from_forge = list(
        doctor.of_plan(Catalogue(root), doctor.plan.make(Catalogue(root), Request("toy")), online)
    )
    assert "toy: from toy.example" in [each.found for each in from_forge]


def test_a_damaged_file_is_dropped_by_fix_and_nothing_else_is(tmp_path: Path) -> None:
    root, home = repository.make(tmp_path / "root", TOY), Home.of({"KILN_HOME": str(tmp_path / "home")})
    vault = Vault(home.sources)
    sha256 = hashlib.sha256(DATA).hexdigest()
    (tmp_path / "file").write_bytes(DATA)
    path = vault.add(tmp_path / "file", sha256)
    assert row(examined(root, home.path), "sources").found == "1 of 1 in the vault"
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    damaged = row(examined(root, home.path), "toy")
    assert not damaged.good and f"{path} is damaged" in damaged.found and damaged.fix is not None
    other = home.sources / "sha256" / "aa" / ("a" * 64)
    other.parent.mkdir()
    other.write_bytes(b"not of this plan")
    doctor.run(Catalogue(root), Request("toy"), settings(home.path, fix=True, json=True))
    assert not path.exists() and other.exists()
    assert not [each for each in examined(root, home.path) if each.what == "toy"]


def test_a_build_is_told_what_the_processor_lacks() -> None:
    assert doctor.processor("sse4.2", "sse4.2,avx").good
    assert doctor.processor("baseline", "").good
    lacking = doctor.processor("sse4.2,avx,avx512f", "sse4.2,avx")
    assert not lacking.good and "does not have avx512f" in lacking.found


def test_a_build_for_cuda_names_what_its_code_runs_on() -> None:
    code = gpu.Code("11.8", ("8.0",), "8.0")
    assert gpu.of_build(ROOT, (), code)[0].good
    (old, fits) = gpu.of_build(ROOT, (gpu.Gpu("a", "7.5", "535.1"), gpu.Gpu("b", "8.6", "535.1")), code)
    assert not old.good and "--cuda-arch 7.5" in old.cure
    assert fits.good


def test_findings_are_values_for_programs(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "opencv", "--offline", "--json", "--cpu-features", "sse4.2", **NO_ENGINE)
    rows = {each["what"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 0
    assert rows["engine"]["good"] is False and rows["engine"]["cure"]
    assert rows["room"]["good"] is True and rows["room"]["cure"] is None
    assert rows["processor"]["found"] == "has sse4.2"
    assert rows["sources"]["found"].startswith("0 of 20 in the vault")


def test_each_row_has_its_cure_only_where_it_is_needed() -> None:
    output = io.StringIO()
    rows = [Finding("a", True, "fine", "not shown"), Finding("b", False, "bad [x]", "shown")]
    doctor.show(rows, Console(Rich(file=output, width=100)))
    assert (
        "not shown" not in output.getvalue()
        and "bad [x]" in output.getvalue()
        and "shown" in output.getvalue()
    )


def test_wheels_are_looked_at_beside_the_gpus_alone(tmp_path: Path) -> None:
    wheels = [wheels_.result(tmp_path / name) for name in ("one", "other")]
    files = [next(each.glob("*.whl")) for each in wheels]
    done = run(tmp_path, "doctor", "--cuda", "--wheel", str(files[0]), "--wheel", str(files[1]))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("has no code for GPUs and runs on the processor") == 2
    assert "engine" not in done.stdout
