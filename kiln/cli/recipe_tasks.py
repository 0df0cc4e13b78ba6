"""Tasks that take a recipe: its options as options of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from kiln.cli.guard import guarded
from kiln.core import UsageError, named_paths

if TYPE_CHECKING:
    from kiln.core import Value
    from kiln.plan import Request
    from kiln.recipe import Choice, Outline

REQUEST_HELP = {
    "release": "the release to build, such as 1.15.4 (default: the recipe's own choice)",
    "device": "what the wheel computes on (default: cpu)",
    "base": "the distribution to build on (default: bookworm)",
    "python": "the Python version to build for, such as 3.11",
    "python_prefix": "use the interpreter installed in this folder (it holds bin/pythonX.Y)",
    "cpu_features": "a list such as avx,avx2,fma,sse4.2; or baseline; or native (what this machine has)",
    "glibc": "the oldest glibc that the wheel is linked for, such as 2.17; or native (that of the base)",
    "accept_tree_hash": "build from an archive's recorded tree instead of its exact bytes, under another key",
    "substitute": "build with these files in place of sources, as NAME=FILE,…, under another key",
}
CUDA_HELP = "build for NVIDIA's GPUs: --cuda, or --cuda=VERSION (short for --device cuda-VERSION)"
CONSENT = {"accept_cuda_eula": (False, "accept NVIDIA's licences, which are shown; once is enough")}
REQUEST_DEFAULTS: dict[str, Any] = {**dict.fromkeys(REQUEST_HELP, ""), "accept_tree_hash": False}
RUN_HELP = {
    "jobs": "compile this many files at once (default: what cores and memory allow)",
    "setup": "install missing system packages with apt-get",
    "offline": "touch no network at all",
    "git_mirror": "git mirrors, such as /mirrors/{owner}/{repo}.git, asked before those of KILN_GIT_MIRRORS",
    "folder": "first take what is there of the sources from this folder, by hash, whatever the names",
    "bundle": "first take what is there of the sources and images from this file of `./inv bundle`",
    "sign": "sign the result with this key: a file, or `agent` or `agent:NAME` for a key of the ssh agent",
    "keep": "keep the container of a failed step, for a shell in it",
    **{key: text for key, (_, text) in CONSENT.items()},
    "time_budget": "stop compiling this long after the start of the command (5h, 90m, 3600s) with exit code 75; the "
    "next run goes on from the caches. No other station is cut: a wheel that is compiled is tested and recorded",
}
RUN_DEFAULTS: dict[str, Any] = {
    "jobs": 0, "setup": False, "offline": False, "git_mirror": "", "folder": "", "bundle": "", "sign": "", "keep": False,
    **{key: default for key, (default, _) in CONSENT.items()},
    "time_budget": "",
}  # fmt: skip
EXECUTOR_HELP = (
    "have Bazel's actions run by this engine, grpc://HOST:PORT (default: what KILN_REMOTE_EXECUTOR or config.yaml says); "
    "off for none"
)
PROGRAMS_HELP = "the folder with programs that ci/farm/programs.sh has made (default: ./programs)"
SHARED_CACHE: dict[str, tuple[Any, str]] = {
    "remote_cache": (
        "",
        "take compiled objects from this cache, http://HOST:PORT/FOLDER, redis://HOST:PORT or grpc://HOST:PORT (default: "
        "what KILN_REMOTE_CACHE or config.yaml says); off for none",
    ),
    "remote_cache_write": (False, "give to that cache what is compiled here, too"),
    "remote_executor": ("", EXECUTOR_HELP),
    "distcc": (
        "",
        "have single files compiled by these machines, HOST:PORT/JOBS,… (default: what KILN_DISTCC says); off for none",
    ),
    "programs": ("", PROGRAMS_HELP),
}
WANTED_HELP = {
    "all": "all that the recipes declare, not the rows of ci/matrix.yaml",
    "name": "only the row of this name",
    "recipe": "only this recipe, as NAME or NAME/RELEASE",
    "device": "only rows for this device",
    "base": "only rows on this base",
    "python": "only rows for this Python",
}
RECIPE_HELP = "the recipe, as NAME or NAME/RELEASE"
GIT_MIRROR = {"git_mirror": ("", RUN_HELP["git_mirror"])}
FOLDER = {"folder": ("", RUN_HELP["folder"])}


def recipe_task(
    body: Callable[[Context, Request, Mapping[str, Any]], None],
    options: tuple[Choice, ...],
    run: bool,
    name: str,
    doc: str,
    recipe_name: str = "",
    extra: Mapping[str, tuple[Any, str]] | None = None,
    argument: str = RECIPE_HELP,
    required: bool = True,
) -> Task[Any]:
    """A task that takes a recipe's options, and the common ones.

    With a `recipe_name` the task is for that recipe; else the recipe is its first argument, as NAME or
    NAME/RELEASE, which `argument` explains; where it is not `required` it may be left out. A file's name ending in .whl
    is passed on as it is. `run` adds the options of tasks that build. `extra` are further options: default,
    help; one whose default is None may be given more than once.
    """
    extra = extra or {}
    default = inspect.Parameter.empty if required else ""
    parameters: dict[str, Any] = {} if recipe_name else {"recipe": default}
    parameters |= {**REQUEST_DEFAULTS, "cuda": ""}
    parameters |= {option.name: option.default for option in options}
    parameters |= RUN_DEFAULTS if run else {}
    parameters |= {key: default for key, (default, _) in extra.items()}

    known = {option.name for option in options}

    def call(context: Context, **given: Any) -> None:
        named = recipe_name or given.pop("recipe")
        first, _, version = (named, "", "") if named.endswith(".whl") else named.partition("/")
        given["device"] = device(given["device"], given.pop("cuda"))
        from kiln.plan import Request

        request = Request(
            recipe=first,
            release=given.pop("release") or version,
            options=_of_this_machine(chosen(options, given, context["given"])),
            substitute=named_paths(given.pop("substitute"), "--substitute"),
            **{key: given.pop(key) for key in REQUEST_HELP if key not in ("release", "substitute")},
        )
        body(context, request, {key: given[key] for key in given if key not in known})

    call.__name__ = name.replace("-", "_")
    call.__doc__ = doc
    signature = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    signature += [
        inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for key, default in parameters.items()
    ]
    body_of_task = guarded(call)
    body_of_task.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    help_texts = {
        **({} if recipe_name else {"recipe": argument}),
        **REQUEST_HELP,
        "cuda": CUDA_HELP,
        **{option.name: option.help for option in options},
        **(RUN_HELP if run else {}),
        **{key: text for key, (_, text) in extra.items()},
    }
    repeated = tuple(key for key, default in parameters.items() if default is None)
    return Task(
        body_of_task, name=name, help=help_texts, optional=("cuda",), iterable=repeated, auto_shortflags=False
    )


def _of_this_machine(options: Mapping[str, Value]) -> Mapping[str, Value]:
    """The options with --cuda-arch native as the list that it means here: a plan says what is built."""
    if options.get("cuda_arch") != "native":
        return options
    from kiln.engine import gpu

    return {**options, "cuda_arch": gpu.native(gpu.present())}


def device(asked: str, version: str | bool) -> str:
    """The device that `--device` and `--cuda[=VERSION]` come to; UsageError where they contradict each other."""
    if not version:
        return asked
    from kiln.recipe import cuda

    wanted = cuda.ANY if version is True else f"{cuda.PREFIX}{version}"
    if asked and not (asked == wanted or (version is True and asked.startswith(cuda.PREFIX))):
        raise UsageError(f"--device {asked} and --cuda contradict each other", "give one of them")
    return asked or wanted


def options_of(outlines: Iterable[Outline]) -> tuple[Choice, ...]:
    """The options of all releases of some recipes, each name once: as the first has it.

    Where the defaults differ, the one here is not used: it only says in which forms the option can be given.
    """
    found: dict[str, Choice] = {}
    for each in outlines:
        for option in each.options:
            first = found.setdefault(option.name, option)
            if option.default != first.default:
                # A switch that is on by default can be given both ways, as --NAME and --no-NAME.
                found[option.name] = replace(first, default=True if option.type == "bool" else "")
    return tuple(found.values())


def chosen(
    options: tuple[Choice, ...], values: Mapping[str, Value], given: Collection[str]
) -> dict[str, Value]:
    """The values of the options that were given on the command line, whatever their defaults are."""
    return {option.name: values[option.name] for option in options if option.name in given}


def words(given: Mapping[str, object]) -> tuple[str, ...]:
    """Options as they are typed, without those that have no value."""
    named = ((f"--{name.replace('_', '-')}", value) for name, value in given.items() if value)
    return tuple(word for name, value in named for word in ((name,) if value is True else (name, str(value))))
