"""The tasks around the layer library's models and other people's checkouts."""

from __future__ import annotations

import os
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.recipe_tasks import RUN_HELP
from kiln.cli.settings import fetch_settings, root_of


@task(
    auto_shortflags=False,
    help={
        "opsets": "opsets of ONNX, such as 7-13 or 9,11",
        "models": "names of models, separated by commas (default: all)",
        "output": "write the models to this new folder: .h5, SavedModel, .pb, .tflite and .onnx; JUnit reports too",
        "wheel": "a TensorFlow wheel that was built, in place of the published one",
        "python_prefix": "use the Python 3.7 installed in this folder (default: python3.7 in PATH, or pyenv's)",
        "venv": "use what is installed in this virtual environment instead of the pinned packages",
        "upstream_tests": "run tf2onnx's own test suite instead, at each opset",
        "k": "with --upstream-tests: pytest -k",
        "jobs": "with --upstream-tests: run this many tests at once",
        "offline": RUN_HELP["offline"],
        "git_mirror": RUN_HELP["git_mirror"],
    },
)
@guarded
def onnx(
    context: Context,
    opsets: str = "7-13",
    models: str = "",
    output: str = "",
    wheel: str = "",
    python_prefix: str = "",
    venv: str = "",
    upstream_tests: bool = False,
    k: str = "",
    jobs: int = 0,
    offline: bool = False,
    git_mirror: str = "",
) -> None:
    """Convert the layer library's models to ONNX and compare what they answer."""
    from kiln import engine

    settings = commands.onnx.OnnxSettings(
        home=core.Home.of(os.environ),
        sources=fetch_settings(context, {"offline": offline, "git_mirror": git_mirror}),
        opsets=opsets,
        output=Path(output) if output else None,
        wheel=Path(wheel) if wheel else None,
        python_prefix=python_prefix,
        venv=venv,
    )
    root, console = root_of(context), core.Console()
    if upstream_tests:
        commands.onnx.run_upstream_tests(root, settings, k, engine.jobs(jobs), os.environ, console)
    else:
        commands.onnx.run_models(root, settings, models, os.environ, console)


@task(
    auto_shortflags=False,
    help={
        "model": "a .pb, .h5, .onnx or .tflite file, or the folder of a SavedModel",
        "port": "the port on 127.0.0.1 (default: any free one)",
        "offline": RUN_HELP["offline"],
    },
)
@guarded
def netron(context: Context, model: str, port: int = 0, offline: bool = False) -> None:
    """Show a model in the browser with Netron, on this machine only."""
    offline = fetch_settings(context, {"offline": offline}).offline
    home = core.Home.of(os.environ)
    commands.netron.run(root_of(context), home, Path(model), port, offline, os.environ, core.Console())


@task(
    auto_shortflags=False,
    help={
        "name": "the patch, a folder with patch.yaml under patches/checkouts/",
        "folder": "the checkout to patch",
        "revert": "take the patch back",
        "dry_run": "write nothing, show the difference",
    },
)
@guarded
def patch(context: Context, name: str, folder: str, revert: bool = False, dry_run: bool = False) -> None:
    """Patch somebody else's code in a checkout: `./inv patch NAME DIR`."""
    commands.patch.run(root_of(context), name, Path(folder), revert, dry_run, core.Console.for_output())
