"""A recipe, a variant and options to a plan: everything a build depends on, and its digest, the build key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from kiln import cpu, cuda, document, localversion, recipe
from kiln.errors import UsageError
from kiln.fields import STRICT, Integer, Value
from kiln.interpreter import Interpreter, choose
from kiln.recipe import Patch, Recipe
from kiln.source import Source
from kiln.vault import sha256_of

# A new number makes every key new: raise it when kiln itself changes what a build gives.
FORMAT = 1

Image = Literal["toolchain", "runtime"]

# What tools leave behind, and no build reads.
_UNREAD = {"__pycache__", ".pytest_cache", ".ruff_cache"}


@dataclass(frozen=True)
class Request:
    """What a person asked for; empty values take the recipe's defaults."""

    recipe: str
    release: str = ""
    device: str = ""
    base: str = ""
    python: str = ""
    cpu_features: str = ""
    python_prefix: str = ""
    options: Mapping[str, Value] = field(default_factory=dict)
    accept_tree_hash: bool = False
    substitute: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """One cell of a recipe's matrix."""

    device: str
    base: str
    python: str
    cpu_features: str

    @property
    def name(self) -> str:
        return "-".join(
            (f"cp{self.python.replace('.', '')}", self.device, self.base, self.cpu_features.replace(",", "_"))
        )


@dataclass(frozen=True)
class Base:
    """A root file system: a suite of Debian's archive, or the registry image `image` where it can be had.

    `python` is the version of its own interpreter, `glibc` that of its C library, `compilers` the major
    versions of gcc that its toolchain can install.
    """

    name: str
    suite: str
    python: str
    glibc: str
    compilers: tuple[Integer, ...] = ()
    image: Annotated[str, Field(pattern=r"^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$")] | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class _Bases:
    bases: tuple[Base, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class File:
    """A file of this repository that a build reads."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Toolchain:
    """The images of a build: `runtime` (base + interpreter's needs) and `toolchain` (runtime + compilers).

    `compiler` is the package of a host compiler that the device needs beside the toolchain's own.
    """

    name: str
    base: Base
    dockerfile: File
    compiler: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """What enters the build key: a suite's C library and compilers follow from the suite."""
        identity = asdict(self)
        del identity["base"]["glibc"], identity["base"]["compilers"]
        if not self.compiler:
            del identity["compiler"]
        return identity

    @property
    def digest(self) -> str:
        return _digest(self.identity)


@dataclass(frozen=True)
class ContainerStep:
    """One script, run in one container."""

    station: Literal["compile", "wheel", "smoke", "speed"]
    name: str
    script: str
    image: Image


@dataclass(frozen=True)
class Limits:
    """What every container of a build is denied."""

    network: str = "none"
    root_file_system: str = "read-only"
    capabilities: str = "none"
    new_privileges: str = "no"
    user: str = "not root"
    processes: int = 4096


@dataclass(frozen=True)
class Plan:
    """All that a build depends on. Equal plans give equal wheels; `key` names them."""

    recipe: Recipe
    variant: Variant
    options: Mapping[str, Value]
    interpreter: Interpreter
    toolchain: Toolchain
    sources: tuple[Source, ...]
    patches: tuple[tuple[Patch, File], ...]
    scripts: tuple[File, ...]
    suite: tuple[File, ...]
    steps: tuple[ContainerStep, ...]
    environment: Mapping[str, str]
    limits: Limits = Limits()

    @property
    def key(self) -> str:
        """The build key: a sha256 over everything that shapes the wheel, and over nothing else."""
        return _digest(self.inputs)

    @property
    def smoke_key(self) -> str:
        """The digest of the smoke run: a changed suite tests the same wheel again, without a build."""
        sources = self._pins({"smoke", "tools"})
        return _digest({"suite": _rows(self.suite), "sources": sources, "key": self.key})

    @property
    def stamp(self) -> str:
        """What the wheel says of this plan, in a file of its own beside its metadata."""
        stamp = {
            "build_key": self.key,
            "recipe": self.recipe.name,
            "version": self.recipe.version,
            "variant": asdict(self.variant),
            "options": dict(self.options),
        }
        return json.dumps(stamp, indent=2, sort_keys=True) + "\n"

    @property
    def suite_folders(self) -> tuple[str, ...]:
        """The folders of this repository that the smoke run reads."""
        return suite_folders(self.recipe)

    @property
    def inputs(self) -> dict[str, Any]:
        """What the key is taken over. Where a source comes from does not count, only what it is."""
        return {
            "format": FORMAT,
            "recipe": self.recipe.name,
            "version": self.recipe.version,
            "variant": asdict(self.variant),
            "options": dict(self.options),
            "interpreter": self.interpreter.identity,
            "toolchain": self.toolchain.identity,
            "sources": self._pins({"input", "build", "tools"}),
            "patches": [{"tree": patch.tree, **asdict(file)} for patch, file in self.patches],
            "scripts": _rows(self.scripts),
            "steps": [asdict(step) for step in self.steps if step.station in ("compile", "wheel")],
            "environment": dict(self.environment),
            "limits": asdict(self.limits),
        }

    @property
    def variant_name(self) -> str:
        """The folder of the results: the variant, then every choice that is not the recipe's own."""
        changed = [
            _option_slug(option.name, self.options[option.name])
            for option in self.recipe.options
            if self.options.get(option.name, option.default) != option.default
        ]
        return "+".join([self.variant.name, *changed, *_stand_ins(self.sources)])

    @property
    def folder(self) -> Path:
        """Where the results lie under dist/."""
        return Path(self.recipe.name, self.recipe.version, self.variant_name)

    @property
    def interpreter_name(self) -> str:
        """The name of an interpreter built from source: it says what it was built from, and where."""
        return f"{self.interpreter.digest[:16]}-{self.toolchain.digest[:16]}"

    def wheels(self, use: str) -> list[str]:
        """The files of the Python packages for one use."""
        return [source.file for source in self.sources if source.use == use]

    def to_json(self) -> str:
        """The whole plan for programs: the key, its inputs, the smoke run, and every source's origins."""
        sources = [
            {
                "name": source.name,
                "file": source.file,
                "use": source.use,
                "digest": source.digest,
                "license": source.license,
                "instead_of": source.instead_of,
                "origins": [_origin(origin) for origin in source.origins],
            }
            for source in self.sources
        ]
        smoke = {
            "key": self.smoke_key,
            "suite": _rows(self.suite),
            "sources": self._pins({"smoke", "tools"}),
            "steps": [asdict(step) for step in self.steps if step.station in ("smoke", "speed")],
        }
        value = {
            "key": self.key,
            "folder": str(self.folder),
            "inputs": self.inputs,
            "smoke": smoke,
            "sources": sources,
        }
        return json.dumps(value, indent=2, sort_keys=True) + "\n"

    def _pins(self, uses: set[str]) -> list[dict[str, str]]:
        pins = [
            {
                "name": source.name,
                "file": source.file,
                "use": source.use,
                "digest": source.digest,
                # A tree as a file is other bytes than any archive that was ever published.
                **({"form": "packed tree"} if source.packed else {}),
            }
            for source in self.sources
            if source.use in uses
        ]
        return sorted(pins, key=lambda pin: (pin["use"], pin["name"], pin["file"]))


def make(root: Path, request: Request) -> Plan:
    """The plan for a request, from the files of the repository `root` alone: no engine, no network.

    Raises UsageError for a recipe, variant or option that does not exist or does not fit.
    """
    whole = recipe.load(root, request.recipe, request.release or _release(root, request))
    variant = _variant(root, whole, request)
    base = _base(root, variant.base)
    axes: dict[str, Value] = {**asdict(variant), "glibc": base.glibc}
    options = _options(whole, request.options, axes)
    chosen = replace(whole, options=recipe.options(whole, axes))
    facts = {**axes, **options}
    kit = cuda.toolkit(root, variant.device)
    if kit and "cuda_arch" in options:
        others = _toolkits(root, request.recipe)
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
    patches = [patch for patch in recipe.patches(root, whole) if recipe.holds(patch.when, facts)]
    patch_folder = Path("patches", chosen.name)
    docker = Path("docker", chosen.toolchain)
    scripts = _files(root, [docker, Path("docker/common")])
    return Plan(
        recipe=chosen,
        variant=variant,
        options=options,
        interpreter=interpreter,
        toolchain=Toolchain(
            chosen.toolchain,
            base,
            _file(root, docker / "Dockerfile"),
            "" if compiler else host,
        ),
        sources=sources,
        patches=tuple((patch, _file(root, patch_folder / patch.path(chosen))) for patch in patches),
        scripts=tuple(file for file in scripts if Path(file.path).name != "Dockerfile"),
        suite=(suite := _files(root, map(Path, suite_folders(chosen)))),
        steps=_steps(chosen, sources, patches, (*scripts, *suite), facts),
        environment={
            **_environment(chosen, variant, options, sources),
            **_cuda_environment(kit, host, options),
        },
    )


def suite_folders(chosen: Recipe) -> tuple[str, ...]:
    """The folders that a recipe's smoke run reads: what every suite has, its own, and what it names."""
    return ("smoke/common", chosen.smoke.suite, *chosen.smoke.folders)


def prepares(source: Source) -> str:
    """The name of the step that prepares a source's tree."""
    return f"prepare-{source.name}"


def _steps(
    chosen: Recipe,
    sources: Iterable[Source],
    patches: list[Patch],
    scripts: Iterable[File],
    facts: Mapping[str, Value],
) -> tuple[ContainerStep, ...]:
    steps = [
        ContainerStep("compile", prepares(source), source.prepare, "toolchain")
        for source in sources
        if source.prepare
    ]
    steps += [ContainerStep("compile", "patch", "common/patch.sh", "toolchain")] if patches else []
    steps.append(ContainerStep("compile", "python", "common/python.sh", "toolchain"))
    steps += [
        ContainerStep("compile", step.name, step.run, "toolchain")
        for step in chosen.steps
        if recipe.holds(step.when, facts)
    ]
    steps.append(ContainerStep("wheel", "repair", "common/repair.sh", "toolchain"))
    steps.append(ContainerStep("smoke", "inspect", "smoke/common/inspect.sh", "toolchain"))
    steps.append(ContainerStep("smoke", "smoke", "smoke/common/run.sh", "runtime"))
    there = {file.path for file in scripts}
    if f"{chosen.smoke.suite}/speed.py" in there:
        steps.append(ContainerStep("speed", "speed", "smoke/common/speed.sh", "runtime"))
    places = {"common": "docker/common", "scripts": f"docker/{chosen.toolchain}"}
    for step in steps:
        folder, _, rest = step.script.partition("/")
        path = f"{places.get(folder, folder)}/{rest}"
        if path not in there:
            raise UsageError(
                f"step {step.name!r} of {chosen.name} {chosen.version} runs {path}, which does not exist: "
                "correct the key 'steps' of the recipe"
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
            f"--substitute: {error.filename} cannot be read ({error.strerror}): name a file that can"
        ) from error
    return tuple(
        source.given(str(given[source.name].absolute()), digests[source.name])
        if source.name in given and source.use == "input"
        else source
        for source in sources
    )


def _stand_ins(sources: Iterable[Source]) -> list[str]:
    """What names the files that are not the ones which the recipe pins."""
    sources = list(sources)
    accepted = ["tree-hash"] if any(source.accepted for source in sources) else []
    given = sorted((source.name, source.digest) for source in sources if source.substituted)
    return [*accepted, *([f"substituted-{_digest(given)[:12]}"] if given else [])]


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
        "KILN_NAME": chosen.name,
        "KILN_VERSION": chosen.version,
        "KILN_LOCAL_VERSION": localversion.of(chosen, asdict(variant), options, _stand_ins(sources)),
        "KILN_CPU_FEATURES": variant.cpu_features,
        "KILN_VENV": "/kiln/build/venv",
        "KILN_TOOLS": "/kiln/build/tools",
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


def _toolkits(root: Path, name: str) -> Iterator[cuda.Toolkit]:
    """The toolkits of every version of a recipe."""
    devices = (device for each in recipe.line(root, name) for device in each.variants.device)
    yield from (kit for device in devices if (kit := cuda.toolkit(root, device)))


def _release(root: Path, request: Request) -> str | None:
    """The release that has the device asked for, where the recipe's own choice has not: the newest of these."""
    if request.device != cuda.ANY and not request.device.startswith(cuda.PREFIX):
        return None
    own, *others = recipe.line(root, request.recipe)
    having = [each.version for each in (*others, own) if cuda.pick(each.variants.device, request.device)]
    return having[-1] if having else None


def _options(chosen: Recipe, given: Mapping[str, Value], facts: Mapping[str, Value]) -> dict[str, Value]:
    known = {option.name: option for option in recipe.options(chosen, facts)}
    elsewhere = {option.name for option in chosen.options} - set(known)
    for name in given:
        if name not in known:
            where = f" for the device {facts['device']}" if name in elsewhere else ""
            raise UsageError(
                f"recipe {chosen.name} {chosen.version} has no option {name!r}{where}: "
                f"it has {', '.join(sorted(known)) or 'none'}"
            )
    return {name: given.get(name, option.default) for name, option in known.items()}


def _variant(root: Path, chosen: Recipe, request: Request) -> Variant:
    variants = chosen.variants
    request = replace(request, device=cuda.pick(variants.device, request.device) or request.device)
    for axis in ("device", "base", "python"):
        value, allowed = getattr(request, axis), getattr(variants, axis)
        if value and value not in allowed:
            elsewhere = _elsewhere(root, chosen) if axis == "device" and not request.release else ()
            raise UsageError(
                f"{chosen.name} {chosen.version} is not built for {axis} {value!r}: "
                f"choose one of {', '.join((*allowed, *elsewhere))}"
            )
    return Variant(
        device=request.device or variants.defaults.device,
        base=request.base or variants.defaults.base,
        python=request.python or variants.defaults.python,
        cpu_features=cpu.canonical(request.cpu_features or variants.defaults.cpu_features),
    )


def _elsewhere(root: Path, chosen: Recipe) -> list[str]:
    """The devices that other versions of a recipe are built for, each with the newest such version."""
    newest = {device: each for each in recipe.line(root, chosen.name) for device in each.variants.device}
    return [
        f"{device} ({each.name} {each.version})"
        for device, each in newest.items()
        if device not in chosen.variants.device
    ]


def _base(root: Path, name: str) -> Base:
    path = root / "docker" / "bases.yaml"
    bases = {base.name: base for base in document.typed(document.read(path), _Bases).bases}
    if name not in bases:
        raise UsageError(f"{path}:1: there is no base {name!r}: add it, or choose one of {', '.join(bases)}")
    return bases[name]


def _check_unique(chosen: Recipe, sources: Iterable[Source]) -> None:
    """Two sources of one use and name in one plan would hide each other."""
    seen: set[tuple[str, str]] = set()
    for source in sources:
        identity = (source.use, source.name)
        if identity in seen:
            raise UsageError(
                f"source {source.name!r} of {chosen.name} {chosen.version} is chosen twice for this variant: "
                "make the conditions under its keys 'when' exclude each other"
            )
        seen.add(identity)


def _files(root: Path, folders: Iterable[Path]) -> tuple[File, ...]:
    paths = [
        path.relative_to(root)
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and not _UNREAD & set(path.parts)
    ]
    return tuple(_file(root, path) for path in paths)


def _file(root: Path, path: Path) -> File:
    try:
        return File(path.as_posix(), hashlib.sha256((root / path).read_bytes()).hexdigest())
    except OSError as error:
        where = root / path
        raise UsageError(f"{where} cannot be read ({error}): restore it from version control") from error


def _rows(files: Iterable[File]) -> list[dict[str, str]]:
    return [asdict(file) for file in files]


def _origin(origin: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(origin).items() if value is not None}


def _text(value: Value) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _option_slug(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return name if value else f"no-{name}"
    text = "".join(char if char.isalnum() or char in "._-" else "_" for char in str(value))
    return f"{name}-{text if len(text) <= 48 else _digest(str(value))[:12]}"


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
