"""A request to a plan, from the files of the repository alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from kiln import recipe
from kiln.core import UsageError, Value, sha256_of
from kiln.plan import choices, local_version
from kiln.plan.interpreter import choose
from kiln.plan.model import (
    GLIBC_SCRIPT,
    VENVS,
    VENVS_SCRIPT,
    ContainerStep,
    File,
    Plan,
    Toolchain,
    prepares,
    stand_ins,
    suite_folders,
)
from kiln.plan.variant import Request, Variant
from kiln.recipe import NATIVE, Base, Catalogue, Patch, Recipe, Source, bases, cpu, cuda


def make(catalogue: Catalogue, request: Request) -> Plan:
    """The plan for a request, from the files of the catalogue's repository alone: no engine, no network.

    Raises UsageError for a recipe, variant or option that does not exist or does not fit.
    """
    whole = catalogue.load(request.recipe, request.release or _release(catalogue, request))
    variant = _variant(catalogue, whole, request)
    base = catalogue.base(variant.base)
    # In conditions `glibc` is the one whose headers are compiled with, for every glibc that is linked for.
    axes: dict[str, Value] = {**asdict(variant), "glibc": base.glibc}
    options = choices.chosen(whole, request.options, axes)
    chosen = replace(whole, options=recipe.options(whole, axes))
    facts = {**axes, **options}
    kit = catalogue.toolkit(variant.device)
    if kit and "cuda_arch" in options:
        others = _toolkits(catalogue, request.recipe)
        options["cuda_arch"] = cuda.architectures(kit, str(options["cuda_arch"]), others).text
    # A recipe that lets its compiler be chosen has it in its toolchain, and nvcc calls the same one.
    compiler = str(options.get("compiler", ""))
    host = cuda.host_compiler(kit, base.name, base.compilers, compiler) if kit else ""
    sources = tuple(source for source in chosen.sources if recipe.holds(source.when, facts))
    if request.accept_tree_hash:
        sources = tuple(source.accepting_tree() for source in sources)
    sources = _substituted(sources, request.substitute)
    interpreter = choose(variant.python, base.python, request.python_prefix, sources)
    if interpreter.kind != "source":
        sources = tuple(source for source in sources if source.name != "cpython")
    _check_unique(chosen, sources)
    patches = [patch for patch in catalogue.patches(whole) if recipe.holds(patch.when, facts)]
    folder = catalogue.patch_folder(whole)
    docker = Path("docker", chosen.toolchain)
    parts = [Path("docker/common")]
    parts += [Path("docker/cuda")] if kit else []
    parts += [Path("docker/glibc")] if variant.glibc != NATIVE else []
    scripts = _files(catalogue, [docker, *parts])
    return Plan(
        recipe=chosen,
        variant=variant,
        options=options,
        interpreter=interpreter,
        toolchain=_toolchain(catalogue, chosen.toolchain, base, compiler, host, facts),
        sources=sources,
        patches=tuple(zip(patches, _files(catalogue, [folder / patch.file for patch in patches]))),
        # Which packages there are is the toolchain's identity.
        scripts=tuple(file for file in scripts if Path(file.path).name != "packages.yaml"),
        suite=(suite := _files(catalogue, map(Path, suite_folders(chosen)))),
        steps=_steps(chosen, variant, sources, patches, (*scripts, *suite), facts),
        environment={
            **_environment(chosen, variant, options, sources),
            **{
                f"KILN_PARTS_{name.upper()}": " ".join(names)
                for name, names in choices.parts(whole, facts).items()
            },
            **_cuda_environment(kit, host, options),
        },
    )


def _toolchain(
    catalogue: Catalogue, name: str, base: Base, compiler: str, host: str, facts: Mapping[str, Value]
) -> Toolchain:
    """The images of a toolchain with the recipe's `compiler`, such as gcc-9, or with nvcc's `host` compiler.

    A build with these `facts` may have additions.
    """
    lists = catalogue.toolchain_packages(name)
    owner = lists.image or name
    if lists.image:
        lists = catalogue.toolchain_packages(owner)
    extra = lists.compilers.get(compiler or host.replace("g++", "gcc"), ())
    added = lists.added(facts)
    runtime = catalogue.image(base.name, bases.runtime_name(owner, added) if added else bases.RUNTIME)
    image = runtime if lists.empty else catalogue.image(base.name, bases.image_name(owner, extra, added))
    # What the recipe's own option names may be compiled first.
    if host and not compiler and host not in {package.name for package in image.packages}:
        raise UsageError(
            f"the toolchain {name} has no {host}, which nvcc needs",
            f"add it to the key 'compilers' and run `./inv lock --base {base.name}`",
            where=str(catalogue.root / "docker" / name / "packages.yaml"),
        )
    return Toolchain(name, base, catalogue.base_lock(base.name), runtime, image)


def _steps(
    chosen: Recipe,
    variant: Variant,
    sources: Iterable[Source],
    patches: list[Patch],
    scripts: Iterable[File],
    facts: Mapping[str, Value],
) -> tuple[ContainerStep, ...]:
    steps = [ContainerStep("compile", "python", VENVS_SCRIPT, "toolchain")]
    steps += [
        ContainerStep("compile", prepares(source), source.prepare, "toolchain")
        for source in sources
        if source.prepare
    ]
    steps += [ContainerStep("compile", "patch", "common/patch.sh", "toolchain")] if patches else []
    steps += [ContainerStep("compile", "glibc", GLIBC_SCRIPT, "toolchain")] if variant.glibc != NATIVE else []
    steps += [
        ContainerStep("compile", step.name, step.run, "toolchain")
        for step in chosen.steps
        if recipe.holds(step.when, facts)
    ]
    there = {file.path for file in scripts}
    # auditwheel refuses wheels without machine code: their toolchain has a script of its own.
    repair = "scripts" if f"docker/{chosen.toolchain}/repair.sh" in there else "common"
    steps.append(ContainerStep("wheel", "repair", f"{repair}/repair.sh", "toolchain"))
    steps.append(ContainerStep("smoke", "inspect", "smoke/common/inspect.sh", "toolchain"))
    steps.append(ContainerStep("smoke", "smoke", "smoke/common/run.sh", "runtime"))
    if f"{chosen.smoke.suite}/speed.py" in there:
        steps.append(ContainerStep("speed", "speed", "smoke/common/speed.sh", "runtime"))
    places = {each: f"docker/{each}" for each in ("common", "cuda", "glibc")}
    places["scripts"] = f"docker/{chosen.toolchain}"
    for step in steps:
        folder, _, rest = step.script.partition("/")
        path = f"{places.get(folder, folder)}/{rest}"
        if path not in there:
            raise UsageError(
                f"step {step.name!r} of {chosen.name} {chosen.version} runs {path}, which does not exist",
                "correct the key 'steps' of the recipe",
            )
    return tuple(steps)


def _substituted(sources: tuple[Source, ...], given: Mapping[str, Path]) -> tuple[Source, ...]:
    """The sources with the files that a person gave in place of some."""
    files = {source.name for source in sources if source.is_file and source.use == "input"}
    for name, path in given.items():
        if name not in files:
            raise UsageError(
                f"--substitute {name}={path}: this build has no source file of that name; "
                f"it has {', '.join(sorted(files)) or 'none'}"
            )
    try:
        digests = {name: sha256_of(path) for name, path in given.items()}
    except OSError as error:
        raise UsageError(
            f"--substitute: {error.filename} cannot be read ({error.strerror})", "name a file that can"
        ) from error
    return tuple(
        source.given(str(given[source.name].absolute()), digests[source.name])
        if source.name in given and source.use == "input"
        else source
        for source in sources
    )


def _environment(
    chosen: Recipe, variant: Variant, options: Mapping[str, Value], sources: Sequence[Source]
) -> dict[str, str]:
    others = " ".join(source.file for source in sources if source.instead_of)
    return {
        "HOME": "/kiln/build/home",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": "/kiln/build/tmp",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(chosen.source_date_epoch),
        "CCACHE_DIR": "/kiln/ccache",
        # By default a compiler is known by its size and time, which any other program can have.
        "CCACHE_COMPILERCHECK": "content",
        "KILN_NAME": chosen.name,
        "KILN_VERSION": chosen.version,
        "KILN_LOCAL_VERSION": local_version.of(chosen, asdict(variant), options, stand_ins(sources)),
        "KILN_CPU_FEATURES": variant.cpu_features,
        **({"KILN_GLIBC": variant.glibc} if variant.glibc != NATIVE else {}),
        "KILN_VENV": f"{VENVS}/build",
        "KILN_TOOLS": f"{VENVS}/tools",
        # The files that are not the ones which the recipe pins.
        **({"KILN_OTHER_ARCHIVES": others} if others else {}),
        **{f"KILN_OPT_{name.upper()}": _text(value) for name, value in options.items()},
    }


def _cuda_environment(kit: cuda.Toolkit | None, host: str, options: Mapping[str, Value]) -> dict[str, str]:
    if kit is None:
        return {}
    wanted = cuda.architectures(kit, str(options.get("cuda_arch", "")))
    return {
        "KILN_CUDA": kit.version,
        "KILN_CUDA_RELEASE": kit.release,
        "KILN_CUDA_ARCH": " ".join(wanted.native),
        "KILN_CUDA_PTX": wanted.ptx,
        "KILN_HOST_COMPILER": host,
    }


def _toolkits(catalogue: Catalogue, name: str) -> Iterator[cuda.Toolkit]:
    """The toolkits of every release of a recipe."""
    devices = (device for each in catalogue.line(name) for device in each.variants.device)
    yield from (kit for device in devices if (kit := catalogue.toolkit(device)))


def _release(catalogue: Catalogue, request: Request) -> str:
    """The release to build where none is named: the newest with the device and Python, if the recipe's choice has not.

    Without a device it is the recipe's own choice: no other release may be built for another device unasked.
    """
    default = catalogue.default(request.recipe)
    if request.device != cuda.ANY and not request.device.startswith(cuda.PREFIX):
        return default

    def has(release: Recipe, python: str) -> bool:
        fits = not python or python in release.variants.python
        return fits and cuda.pick(release.variants.device, request.device) is not None

    own = catalogue.describe(request.recipe)
    for python in (request.python, ""):
        if has(own, python):
            return default
        having = [each.version for each in catalogue.line(request.recipe) if has(each, python)]
        if having:
            return having[-1]
    return default


def _variant(catalogue: Catalogue, chosen: Recipe, request: Request) -> Variant:
    variants = chosen.variants
    request = replace(request, device=cuda.pick(variants.device, request.device) or request.device)
    for axis in ("device", "base", "python", "glibc"):
        value, allowed = getattr(request, axis), getattr(variants, axis)
        if value and value not in allowed:
            elsewhere = () if request.release else _elsewhere(catalogue, chosen, axis, request.device)
            raise UsageError(
                f"{chosen.name} {chosen.version} is not built for {axis} {value!r}",
                f"choose one of {', '.join((*allowed, *elsewhere))}",
            )
    return Variant(
        device=request.device or variants.defaults.device,
        base=request.base or variants.defaults.base,
        python=request.python or variants.defaults.python,
        cpu_features=cpu.canonical(request.cpu_features or variants.defaults.cpu_features),
        glibc=request.glibc or variants.defaults.glibc,
    )


def _elsewhere(catalogue: Catalogue, chosen: Recipe, axis: str, device: str) -> list[str]:
    """The values of an axis that only other releases of a recipe have, each with the newest such release.

    Where that is not built for the `device` (by default the recipe's own), it says for which it is.
    """
    wanted = device or chosen.variants.defaults.device
    newest = {value: each for each in catalogue.line(chosen.name) for value in getattr(each.variants, axis)}
    return [
        f"{value} ({each.name} {each.version}{_devices(each, wanted) if axis != 'device' else ''})"
        for value, each in newest.items()
        if value not in getattr(chosen.variants, axis)
    ]


def _devices(other: Recipe, wanted: str) -> str:
    """What a release is built for, if that is not what is wanted."""
    devices = other.variants.device
    return "" if cuda.pick(devices, wanted) else f", for {', '.join(devices)} alone"


def _check_unique(chosen: Recipe, sources: Iterable[Source]) -> None:
    """Two sources of one use and name in one plan would hide each other."""
    seen: set[tuple[str, str]] = set()
    for source in sources:
        identity = (source.use, source.name)
        if identity in seen:
            raise UsageError(
                f"source {source.name!r} of {chosen.name} {chosen.version} is chosen twice for this variant",
                "make the conditions under its keys 'when' exclude each other",
            )
        seen.add(identity)


def _files(catalogue: Catalogue, places: Iterable[Path]) -> tuple[File, ...]:
    """The files in some folders, or named themselves, without what no build reads."""
    return tuple(File(*each) for place in places for each in catalogue.files(place))


def _text(value: Value) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
