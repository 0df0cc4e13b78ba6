from __future__ import annotations

from pathlib import Path

from kiln.cli import develop_tasks


def test_the_packages_that_only_tests_need_are_those_whose_programs_are_not_there(tmp_path: Path) -> None:
    """Programs of administrators are found where distributions put them, whatever PATH says."""
    every = set(develop_tasks.missing_test_packages({"PATH": str(tmp_path)}, administrators=()))
    assert {"rsync", "openssh-server"} <= every
    program = tmp_path / "rsync"
    program.touch()
    program.chmod(0o755)
    without = {"PATH": "/nowhere"}
    assert "rsync" not in develop_tasks.missing_test_packages(without, administrators=(str(tmp_path),))
    assert set(develop_tasks.missing_test_packages({"PATH": str(tmp_path)}, administrators=())) == every - {
        "rsync"
    }
