"""The scripts that run inside containers, and in jobs of CI: whole, and right where they can be tried without one."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.programs import program
from tests.support.repository import ROOT

SCRIPTS = sorted(script for folder in ("docker", "smoke", "ci") for script in (ROOT / folder).rglob("*.sh"))
ACCEPT = "docker/tensorflow/accept.py"
OLD, NEW = "0" * 64, "1" * 64

RULES = f"""\
def repositories(path_prefix = ""):
    tf_http_archive(
        name = "zlib",
        sha256 = "{OLD}",
        urls = [
            "https://m.example/zlib.tar.gz",
        ],
    )

    tf_http_archive(
        name = "zlib_ng",
        sha256 = "{OLD}",
    )

    tf_http_archive(
        name = "unhashed",
    )
"""


def with_settings(code: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What a step of TensorFlow's does by this code, after what all of them share."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "KILN_VENV": "/nowhere",
        "KILN_VERSION": "1.15.5",
        "KILN_OPT_COMPILER": "gcc-9",
        **variables,
    }
    command = ["bash", "-euo", "pipefail", "-c", f"source {ROOT}/docker/tensorflow/settings.sh; {code}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_is_bash_and_what_it_names_is_there(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text(encoding="utf-8")
    for folder, name in re.findall(r"/kiln/(scripts|common)/([A-Za-z0-9_./-]+)", text):
        place = script.parent if folder == "scripts" else ROOT / "docker" / "common"
        assert (place / name).exists(), f"/kiln/{folder}/{name}"


@pytest.mark.parametrize(
    ("features", "fpmath", "flags"),
    [
        ("sse4.2,avx,avx2,fma", "both", "-mavx -mavx2 -mfma -mfpmath=both -msse4.2"),
        ("baseline", "both", "-mfpmath=both"),
        ("baseline", "sse", ""),
        ("sse3,avx512f", "sse", "-mavx512f -msse3"),
    ],
)
def test_the_flags_for_the_processor_are_those_that_a_person_would_type(
    features: str, fpmath: str, flags: str
) -> None:
    variables = {"KILN_OPT_MKL": "0", "KILN_CPU_FEATURES": features, "KILN_OPT_FPMATH": fpmath}
    done = with_settings("cpu_flags; echo; build_command", variables)
    assert done.returncode == 0, done.stderr
    found, _, command = done.stdout.partition("\n\n") if flags else ("", "", done.stdout)
    assert found.split() == flags.split()
    copts = "".join(f"--copt={flag} " for flag in flags.split())
    target = "//tensorflow/tools/pip_package:build_pip_package"
    assert " ".join(command.split()) == f"build -c opt --config=v1 {copts}--config=opt {target}"


def test_finished_actions_are_kept_apart_by_the_compiler_and_the_packages_of_the_image(
    tmp_path: Path,
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    compiler, packages = tmp_path / "cc1plus", tmp_path / "packages"
    for name, text in (("gcc", f"echo {compiler}"), ("dpkg-query", f"cat {packages}")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)

    def tools(cc1plus: str, installed: str) -> str:
        compiler.write_text(cc1plus)
        packages.write_text(installed)
        done = with_settings("CC=gcc; tools=$(tools); echo $tools", {"KILN_VENV": str(tmp_path)})
        assert done.returncode == 0 and re.fullmatch("[0-9a-f]{16}\n", done.stdout), done.stderr
        return done.stdout

    first = tools("9.3.0", "libc6-dev 2.36")
    assert tools("9.3.0", "libc6-dev 2.36") == first
    assert len({first, tools("9.4.0", "libc6-dev 2.36"), tools("9.3.0", "libc6-dev 2.37")}) == 3
    compiler.unlink()
    assert with_settings("CC=gcc; tools=$(tools)", {"KILN_VENV": str(tmp_path)}).returncode != 0


def test_the_hash_of_a_rule_is_replaced_and_its_neighbours_keep_theirs() -> None:
    accept = program(ACCEPT)
    assert accept.accept(RULES, "zlib", NEW) == RULES.replace(OLD, NEW, 1)
    assert accept.accept(RULES, "zlib_ng", NEW).count(NEW) == 1
    assert accept.accept(RULES, "absent", NEW) == RULES
    with pytest.raises(ValueError, match="the rule for unhashed has 0 hashes"):
        accept.accept(RULES, "unhashed", NEW)


def test_a_hash_that_is_a_key_is_replaced() -> None:
    text = (
        f'    filegroup_external(\n        name = "page",\n        sha256_urls = {{"{OLD}": ["u"]}},\n    )\n'
    )
    assert program(ACCEPT).accept(text, "page", NEW) == text.replace(OLD, NEW)


def test_the_name_of_a_constant_is_replaced_by_the_hash_itself() -> None:
    text = (
        f'    X = "{OLD}"\n    rule(\n        name = "x",\n        sha256 = X,\n        urls = URLS,\n    )\n'
    )
    assert program(ACCEPT).accept(text, "x", NEW) == text.replace("sha256 = X,", f'sha256 = "{NEW}",')


def test_a_stand_in_gets_its_hash_into_the_workspace_or_overrides_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = program(ACCEPT)
    monkeypatch.setattr(accept, "EXTERNALS", tmp_path / "externals")
    (tmp_path / "w" / "tensorflow").mkdir(parents=True)
    (tmp_path / "w" / "third_party").mkdir()
    (tmp_path / "w" / "tensorflow" / "workspace.bzl").write_text(RULES)
    (tmp_path / "w" / "WORKSPACE").write_text(
        f'http_archive(\n    name = "skylib",\n    sha256 = "{OLD}",\n    strip_prefix = "skylib-1",\n)\n'
    )
    (tmp_path / "rc").write_text("build --jobs=1\n")
    for name in ("zlib.tar.gz", "skylib.tar.gz"):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("skylib-1/BUILD"), io.BytesIO())
        accept.main(tmp_path / "w", tmp_path / "rc", tmp_path / name)
    assert (tmp_path / "w" / "tensorflow" / "workspace.bzl").read_text().count(OLD) == 1
    folder = tmp_path / "externals" / "skylib" / "skylib-1"
    assert (folder / "BUILD").exists()
    assert (tmp_path / "rc").read_text() == f"build --jobs=1\nbuild --override_repository=skylib={folder}\n"
