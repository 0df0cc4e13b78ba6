"""What the command line imports, in a process of its own."""

import subprocess
import sys

import pytest

from tests.support.repository import ROOT


def imported(program: str) -> set[str]:
    """The modules that a process has after `program`."""
    program += "\nimport sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).split())


@pytest.mark.parametrize("module", ["asyncio", "ssl", "unittest.mock", "invoke.vendor.yaml.loader"])
def test_the_command_line_does_without_what_only_tests_of_tasks_need(module: str) -> None:
    assert "invoke.context" in imported("import kiln.cli")
    assert module not in imported("import kiln.cli")


def test_a_process_that_has_the_mock_or_invoke_already_keeps_them() -> None:
    program = "import unittest.mock, invoke.context, kiln.cli\n"
    program += "assert unittest.mock.Mock is invoke.context.Mock and unittest.mock.Mock().anything"
    assert {"unittest.mock", "invoke.vendor.yaml.loader"} <= imported(program)


def test_invoke_reads_its_settings_as_before() -> None:
    program = "import kiln.cli, pathlib, tempfile\nfrom invoke.config import Config\n"
    program += (
        "path = pathlib.Path(tempfile.mkdtemp(), 'invoke.yaml'); path.write_text('run: {echo: true}')\n"
    )
    program += "settings = Config(runtime_path=str(path)); settings.load_runtime(); assert settings.run.echo"
    assert imported(program)


@pytest.mark.parametrize("line", ["--help plan", "plan --help", "--help=plan"])
def test_help_of_a_task_comes_wherever_it_is_asked_for(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "tasks.py", *line.split()], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and "./inv [--core-opts] plan [--options]" in done.stdout
