from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiln.cli import develop_tasks
from tests.support import repository

PROGRAM = """\
import time
print("begun", flush=True)
try:
    time.sleep(3600)
except KeyboardInterrupt:
    print("what was begun is ended")
    raise SystemExit(3)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_is_stopped_with_its_task_ends_what_it_has_begun(
    tmp_path: Path, how: signal.Signals
) -> None:
    root = repository.make(tmp_path, **{"bench/wait.py": PROGRAM})
    shutil.copy(repository.ROOT / "tasks.py", root / "tasks.py")
    (root / "kiln").symlink_to(repository.ROOT / "kiln")
    process = subprocess.Popen(
        [sys.executable, root / "tasks.py", "bench", "wait"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "begun\n"
    process.send_signal(how)
    printed, errors = process.communicate(timeout=120)
    assert printed == "what was begun is ended\n"
    assert process.returncode == 130 and "Traceback" not in errors


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
