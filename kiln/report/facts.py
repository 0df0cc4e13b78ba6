"""What a record's folder says of its build, as values for a page. A file that cannot be read says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kiln import attest, smoke
from kiln.attest import Recorded
from kiln.build import Measured, read_measured, record
from kiln.core import KilnError, UsageError, parse_json, sha256_of
from kiln.report import log
from kiln.report.contents import Part, contents
from kiln.smoke import SmokeResult

T = TypeVar("T")
U = TypeVar("U")
_WRONG = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, KilnError)


@dataclass(frozen=True)
class SourceRow:
    """A source: `origin` is where it is published, `obtained` the place that gave it, empty where none was recorded."""

    name: str
    use: str
    file: str
    digest: str
    license: str
    origin: str
    obtained: str
    replaced: bool


@dataclass(frozen=True)
class PatchRow:
    """`why` is empty where the record has no reasons, as those of older builds."""

    file: str
    tree: str
    sha256: str
    why: str
    upstream: str


@dataclass(frozen=True)
class ImageRow:
    """An image of the toolchain, with the names and versions of its packages."""

    name: str
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Commit:
    """The checkout that a build was made from, and when (UTC); empty where it was none."""

    id: str = ""
    clean: bool = False
    begun: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that a report says of one build."""

    plan: record.RecordedPlan
    wheel: Path
    sha256: str
    size: int
    parts: tuple[Part, ...]
    environment: Mapping[str, str]
    sources: tuple[SourceRow, ...]
    patches: tuple[PatchRow, ...]
    images: tuple[ImageRow, ...]
    components: tuple[tuple[str, str, str], ...]
    commit: Commit
    recorded: Recorded | None
    measured: Measured | None
    warnings: tuple[log.Warnings, ...]
    caches: tuple[log.CacheHits, ...]
    smoke: SmokeResult | None
    reproduced: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.wheel.name.split("-")[0].replace("_", "-")

    @property
    def version(self) -> str:
        return self.wheel.name.split("-")[1]


def facts(folder: Path) -> Facts:
    """The facts of the record in a folder; UsageError where it holds none."""
    found, wheels = record.read_plan(folder), sorted(folder.glob("*.whl"))
    if found is None or len(wheels) != 1:
        raise UsageError(f"{folder} holds no finished build", "name a folder under dist/, or the wheel in it")
    wheel, plan = wheels[0], _json(folder / record.PLAN)
    lines = _or(lambda: (folder / record.LOG).read_text("utf-8", "replace").splitlines(), ())
    provenance = _json(folder / record.PROVENANCE)
    rows = _or(lambda: tuple(_provided(provenance)), ())
    sha256 = sha256_of(wheel)
    return Facts(
        plan=found,
        wheel=wheel,
        sha256=sha256,
        size=wheel.stat().st_size,
        parts=contents(wheel),
        environment=_or(
            lambda: {str(name): str(value) for name, value in plan["inputs"]["environment"].items()}, {}
        ),
        sources=rows or _or(lambda: tuple(_planned(plan)), ()),
        patches=_or(lambda: tuple(_patches(plan)), ()),
        images=_or(lambda: tuple(map(_image, plan["images"])), ()),
        components=_or(lambda: _components(_json(folder / record.SBOM)), ()),
        commit=_or(lambda: _commit(provenance["predicate"]), Commit()),
        recorded=_or(
            lambda: attest.recorded.parse((folder / record.PROVENANCE).read_text("utf-8"), wheel.name), None
        ),
        measured=_or(lambda: read_measured((folder / record.MEASURED).read_text("utf-8")), None),
        warnings=tuple(log.warnings(lines)),
        caches=tuple(log.cache_hits(lines)),
        smoke=_or(lambda: smoke.read_results(folder), None),
        reproduced=_or(lambda: _reproduced(_json(folder / record.REPRODUCED), sha256), {}),
    )


def _or(load: Callable[[], T], otherwise: U) -> T | U:
    """What a function gives, or something else where a file is missing or is not what it has to be."""
    try:
        return load()
    except _WRONG:
        return otherwise


def _json(path: Path) -> Any:
    return _or(lambda: parse_json(path.read_text(encoding="utf-8")), None)


def _provided(provenance: Any) -> Iterator[SourceRow]:
    """The sources as the provenance has them: with the places that gave them."""
    for each in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]:
        about = each["annotations"]
        if about["kind"] == "source":
            yield SourceRow(
                name=str(each["name"]),
                use=str(about["use"]),
                file=str(about["file"]),
                digest=str(each["digest"]["sha256"]),
                license=str(about.get("license", "")),
                origin=str(each.get("uri", "")),
                obtained=str(about["obtainedFrom"]),
                replaced=bool(about.get("substituted")) or "insteadOf" in about,
            )


def _planned(plan: Any) -> Iterator[SourceRow]:
    """The sources as the plan has them, which does not know what gave them."""
    for each in plan["sources"]:
        origin = each["origins"][0]
        kind = next((kind for kind in ("url", "pypi", "npm", "debian", "git") if kind in origin), "")
        text = str(origin.get(kind, ""))
        yield SourceRow(
            name=str(each["name"]),
            use=str(each["use"]),
            file=str(each["file"]),
            digest=str(each["digest"]),
            license=str(each["license"] or ""),
            origin=text if kind in ("url", "git") else f"{kind}: {text}",
            obtained="",
            replaced=not kind or bool(each["instead_of"]),
        )


def _patches(plan: Any) -> Iterator[PatchRow]:
    reasons = {(str(each["tree"]), str(each["file"])): each for each in plan.get("patches", ())}
    for each in plan["inputs"]["patches"]:
        file, tree = str(each["path"]).rpartition("/")[2], str(each["tree"])
        about = reasons.get((tree, file), {})
        yield PatchRow(
            file, tree, str(each["sha256"]), str(about.get("why", "")), str(about.get("upstream") or "")
        )


def _image(value: Any) -> ImageRow:
    return ImageRow(
        str(value["name"]), tuple((str(each["name"]), str(each["version"])) for each in value["packages"])
    )


def _components(sbom: Any) -> tuple[tuple[str, str, str], ...]:
    """Name, version and licence of each part that the SBOM lists."""
    return tuple(
        (str(each["name"]), str(each.get("version", "")), ", ".join(map(_licence, each.get("licenses", ()))))
        for each in sbom["components"]
    )


def _licence(value: Any) -> str:
    inner = value.get("license", {})
    return str(value.get("expression") or inner.get("id") or inner.get("name") or "")


def _commit(predicate: Any) -> Commit:
    dependencies = predicate["buildDefinition"]["resolvedDependencies"]
    checkout: Any = next((each for each in dependencies if each["annotations"]["kind"] == "checkout"), None)
    times = predicate["runDetails"]["metadata"]
    return Commit(
        str(checkout["digest"]["gitCommit"]) if checkout else "",
        bool(checkout and checkout["annotations"]["clean"]),
        str(times["startedOn"]),
        str(times["finishedOn"]),
    )


def _reproduced(value: Any, sha256: str) -> dict[str, Any]:
    """What a rebuild found; nothing where it is about another wheel."""
    if value["sha256"] != sha256:
        return {}
    return {
        "ended": str(value["ended"]),
        "seconds": float(value["seconds"]),
        "varied": [str(each) for each in value["varied"]],
        "kept": {str(name): str(why) for name, why in value["not_varied"].items()},
        "engines": sorted({str(value["usual"]["engine"]), str(value["rebuild"]["engine"])}),
    }
