"""A plan: everything that a build depends on, and its digest, the build key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kiln.core import Value
from kiln.plan import cache
from kiln.plan.interpreter import Interpreter
from kiln.plan.variant import Variant
from kiln.recipe import NATIVE, Base, BaseLock, Image, Patch, Recipe, Source, described

# A new number makes every key new: raise it when kiln itself changes what a build gives.
FORMAT = 1

# Where the virtual environments of a build lie in its containers, and the script that makes them.
VENVS = "/kiln/venvs"
VENVS_SCRIPT = "common/python.sh"
# The script that makes what a wheel for an older glibc is linked with.
GLIBC_SCRIPT = "glibc/stubs.sh"

ImageName = Literal["toolchain", "runtime"]


@dataclass(frozen=True)
class File:
    """A file of this repository that a build reads."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Toolchain:
    """The images of a build: `runtime` (where a wheel is tested) and `image` (that with compilers and build tools).

    Both are of one `lock`.
    """

    name: str
    base: Base
    lock: BaseLock
    runtime: Image
    image: Image

    @property
    def identity(self) -> dict[str, Any]:
        """What enters the build key: every package, and the root file systems that they give."""
        return {
            "name": self.name,
            "base": self.base.name,
            "runtime": self.runtime.identity,
            "image": self.image.identity,
        }

    @property
    def digest(self) -> str:
        return digest_of(self.identity)

    @property
    def images(self) -> tuple[Image, Image]:
        return self.runtime, self.image

    @property
    def packages(self) -> tuple[Source, ...]:
        """The packages of both images as sources."""
        found = {each.sha256: each for image in self.images for each in image.packages}
        return tuple(map(self.lock.source, found.values()))

    def to_json(self) -> str:
        """Both images for programs: each package with version, hash and origin."""
        value = {"toolchain": self.name, "base": self.base.name, "digest": self.digest, "images": self.rows()}
        return json.dumps(value, indent=2, sort_keys=True) + "\n"

    def rows(self) -> list[dict[str, Any]]:
        """Both images as plain values."""
        return [
            {
                "name": image.name,
                "root": image.root,
                **({"registry": asdict(image.registry)} if image.registry else {}),
                "packages": [
                    {
                        "name": package.name,
                        "version": package.version,
                        "architecture": package.arch,
                        "sha256": package.sha256,
                        "size": package.size,
                        "suite": package.suite,
                        "origin": f"debian: {package.pool}",
                    }
                    for package in image.packages
                ]
                + [each.row(image.registry.image) for each in image.installed if image.registry],
            }
            for image in self.images
        ]


@dataclass(frozen=True)
class ContainerStep:
    """One script, run in one container."""

    station: Literal["compile", "wheel", "smoke", "speed"]
    name: str
    script: str
    image: ImageName


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
        return digest_of(self.inputs)

    @property
    def smoke_key(self) -> str:
        """The digest of the smoke run: a changed suite tests the same wheel again, without a build."""
        sources = self._pins({"smoke", "tools"})
        return digest_of({"suite": _rows(self.suite), "sources": sources, "key": self.key})

    @property
    def stamp(self) -> str:
        """What the wheel says of this plan, in a file of its own beside its metadata."""
        stamp = {
            "build_key": self.key,
            "recipe": self.recipe.name,
            "version": self.recipe.version,
            "variant": self.variant.identity,
            "options": dict(self.options),
        }
        return json.dumps(stamp, indent=2, sort_keys=True) + "\n"

    @property
    def parts(self) -> list[dict[str, str]]:
        """What the SBOM in the wheel says of each input."""
        return [described(source) for source in self.sources if source.use == "input"]

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
            "variant": self.variant.identity,
            "options": dict(self.options),
            "interpreter": self.interpreter.identity,
            "toolchain": self.toolchain.identity,
            "sources": self._pins({"input", "build", "tools"}),
            "parts": digest_of([self.recipe.license, self.parts]),
            "patches": [{"tree": patch.tree, **asdict(file)} for patch, file in self.patches],
            "scripts": _rows(self.scripts),
            "steps": [asdict(step) for step in self.steps if step.station in ("compile", "wheel")],
            "environment": dict(self.environment),
            "limits": asdict(self.limits),
        }

    @property
    def cache_name(self) -> str:
        """The name of its compile cache, which no other recipe or toolchain shares."""
        return cache.cache_name(self.toolchain.image, self.recipe.name)

    @property
    def linked_glibc(self) -> str:
        """The version of the oldest glibc that the wheel can run with."""
        return self.toolchain.base.glibc if self.variant.glibc == NATIVE else self.variant.glibc

    @property
    def variant_name(self) -> str:
        """The folder of the results: the variant, then every choice that is not the recipe's own."""
        glibc = self.variant.glibc
        changed = [_option_slug("glibc", glibc)] if glibc != self.recipe.variants.defaults.glibc else []
        changed += [
            _option_slug(option.name, self.options[option.name])
            for option in self.recipe.options
            if self.options.get(option.name, option.default) != option.default
        ]
        return "+".join([self.variant.name, *changed, *stand_ins(self.sources)])

    @property
    def folder(self) -> Path:
        """Where the results lie under dist/."""
        return Path(self.recipe.name, self.recipe.version, self.variant_name)

    @property
    def interpreter_name(self) -> str:
        """The name of an interpreter built from source: it says what it was built from, and where."""
        return f"{self.interpreter.digest[:16]}-{self.toolchain.digest[:16]}"

    @property
    def venvs_name(self) -> str:
        """The name of the virtual environments of the step `python`: it says what they are made of, and where."""
        return digest_of(
            {
                "toolchain": self.toolchain.digest,
                "interpreter": self.interpreter.identity,
                "wheels": self._pins({"build", "tools"}),
                "script": next(
                    asdict(each) for each in self.scripts if each.path == f"docker/{VENVS_SCRIPT}"
                ),
            }
        )

    def wheels(self, use: str) -> list[str]:
        """The files of the Python packages for one use."""
        return [source.file for source in self.sources if source.use == use]

    def to_json(self, **more: Any) -> str:
        """The whole plan for programs: the key, its inputs, the smoke run, origins, the patches' reasons, and `more`."""
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
            "patches": [
                {"file": patch.file, "tree": patch.tree, "why": patch.why, "upstream": patch.upstream}
                for patch, _ in self.patches
            ],
            "images": self.toolchain.rows(),
            **more,
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


def suite_folders(chosen: Recipe) -> tuple[str, ...]:
    """The folders that a recipe's smoke run reads: what every suite has, its own, and what it names."""
    return ("smoke/common", chosen.smoke.suite, *chosen.smoke.folders)


def prepares(source: Source) -> str:
    """The name of the step that prepares a source's tree."""
    return f"prepare-{source.name}"


def stand_ins(sources: Iterable[Source]) -> list[str]:
    """What names the files that are not the ones which the recipe pins."""
    sources = list(sources)
    accepted = ["tree-hash"] if any(source.accepted for source in sources) else []
    given = sorted((source.name, source.digest) for source in sources if source.substituted)
    return [*accepted, *([f"substituted-{digest_of(given)[:12]}"] if given else [])]


def _rows(files: Iterable[File]) -> list[dict[str, str]]:
    return [asdict(file) for file in files]


def _origin(origin: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(origin).items() if value is not None}


def _option_slug(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return name if value else f"no-{name}"
    text = "".join(char if char.isalnum() or char in "._-" else "_" for char in str(value))
    return f"{name}-{text if len(text) <= 48 else digest_of(str(value))[:12]}"


def digest_of(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
