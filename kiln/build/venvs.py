"""The virtual environments of the step `python`, kept for every build that has the same interpreters and wheels."""

from __future__ import annotations

from pathlib import Path

from kiln.archive import tree_digest
from kiln.build.runner import BuildRunner
from kiln.build.workspace import VENVS_FILES
from kiln.core import Console, SourceError, give, remove
from kiln.plan import ContainerStep

# The digest of what the step has made, beside it: no container may write there.
_DIGEST = "digest"


def ensure_venvs(runner: BuildRunner, step: ContainerStep, console: Console) -> None:
    """Run the step if no sound result of it is kept. All other steps can read the result, and not change it.

    Raises CompileError if the step fails.
    """
    workspace = runner.workspace
    kept = workspace.venvs
    with workspace.home.lock(kept.name, console):
        if kept.exists():
            if _is_sound(kept):
                return
            console.note(f"{kept} is damaged: making it again")
        partial = workspace.partial_venvs
        remove(partial)
        give(partial / VENVS_FILES, workspace.engine.owner)
        with console.steps(step.name) as line:
            runner.run(step, line)
        (partial / _DIGEST).write_text(tree_digest(partial / VENVS_FILES), encoding="ascii")
        remove(kept)
        partial.rename(kept)


def _is_sound(kept: Path) -> bool:
    try:
        return tree_digest(kept / VENVS_FILES) == (kept / _DIGEST).read_text(encoding="ascii")
    except (OSError, SourceError, UnicodeDecodeError):
        return False
