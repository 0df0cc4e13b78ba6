"""Where a wheel comes from: an in-toto Statement v1 with SLSA's provenance v1.

It is about the build of the wheel alone: a smoke suite that runs again later changes nothing in it. A path of the building
machine, a login, or what a URL has after its path never gets into it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from kiln import __version__
from kiln.attest.revision import Revision, public_url
from kiln.plan import File, Plan
from kiln.recipe import FileOrigin, Package, uri_of
from kiln.sources import Obtained, Vault

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:kiln:build:1"
BUILDER = "urn:kiln:builder"
# The digest of a tree: Kiln's own, over names, modes and contents.
TREE = "kilnTree"

Dependency = dict[str, Any]


@dataclass(frozen=True)
class Invocation:
    """When a build ran, in seconds since 1970, from which checkout, and the addresses of what it shared with others.

    `others` are the addresses by the names that they have there, such as sharedCache.
    """

    checkout: Revision
    started: float
    finished: float
    others: Mapping[str, str] = field(default_factory=dict)


def statement(
    name: str, sha256: str, plan: Plan, obtained: Iterable[Obtained], vault: Vault, invocation: Invocation
) -> str:
    """The statement as one line of JSON, of the wheel `name` that a build of `plan` gave.

    `vault` remembers where each file was really downloaded from.
    """
    begun, ended = (_time(moment) for moment in (invocation.started, invocation.finished))
    value = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": request(plan),
                "internalParameters": {
                    "buildKey": plan.key,
                    "folder": str(plan.folder),
                    # Others can write there: what came from it is as good as they are.
                    **{
                        name: public_url(url) if "//" in url else url
                        for name, url in invocation.others.items()
                    },
                },
                "resolvedDependencies": [
                    *_checkout(invocation.checkout),
                    *(_source(each, vault) for each in obtained),
                    *_images(plan, vault),
                    *(_file("patch", file, patch.tree) for patch, file in plan.patches),
                    *(_file("script", file) for file in plan.scripts),
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"kiln": __version__}},
                "metadata": {"invocationId": f"{plan.key}-{begun}", "startedOn": begun, "finishedOn": ended},
            },
        },
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"


def request(plan: Plan) -> dict[str, Any]:
    """What a person asked for, in full: with it the same checkout makes the same plan."""
    prefix = plan.interpreter.prefix
    return {
        "recipe": plan.recipe.name,
        "release": plan.recipe.version,
        "variant": asdict(plan.variant),
        "options": dict(plan.options),
        "acceptTreeHash": any(source.accepted for source in plan.sources),
        "substituted": sorted(source.name for source in plan.sources if source.substituted),
        **({"pythonPrefix": prefix} if prefix else {}),
    }


def came_from(text: str) -> str:
    """A place that a file was taken from, as the vault recorded it, with nothing that is only this machine's."""
    text = re.sub(r"(?<![\w:/])(?:file://)?/\S+", "a file of the building machine", text)
    return re.sub(r"[a-z][a-z0-9+.-]*://\S+", lambda url: public_url(url[0].rstrip(",")), text)


def _checkout(found: Revision) -> Iterator[Dependency]:
    if found.commit:
        yield {
            "name": "kiln",
            **({"uri": f"git+{found.repository}@{found.commit}"} if found.repository else {}),
            "digest": {"gitCommit": found.commit},
            "annotations": {"kind": "checkout", "clean": found.clean},
        }


def _source(each: Obtained, vault: Vault) -> Dependency:
    source, origin = each.source, each.origin_value
    uri = public_url(origin.url) or uri_of(origin)
    place = vault.origin_of(origin.sha256) or vault.origin_of(each.path.name) or each.origin
    annotations: dict[str, Any] = {
        "kind": "source",
        "use": source.use,
        "file": source.file,
        "obtainedFrom": came_from(place),
    }
    if source.license:
        annotations["license"] = source.license
    if origin.member:
        annotations["member"] = origin.member
    if isinstance(origin, FileOrigin):
        annotations["substituted"] = True
    if source.instead_of:
        annotations["insteadOf"] = source.instead_of
    digest = {"sha256": each.path.name, **({TREE: source.tree} if source.tree else {})}
    return {
        "name": source.name,
        **({"uri": uri} if uri else {}),
        "digest": digest,
        "annotations": annotations,
    }


def _images(plan: Plan, vault: Vault) -> Iterator[Dependency]:
    seen: set[str] = set()
    for image in plan.toolchain.images:
        yield {
            "name": image.name,
            "digest": {"sha256": image.root},
            "annotations": {"kind": "image", "base": image.base},
        }
        for package in image.packages:
            if package.sha256 not in seen:
                seen.add(package.sha256)
                yield _package(package, vault.origin_of(package.sha256))


def _package(package: Package, place: str | None) -> Dependency:
    return {
        "name": package.name,
        "uri": f"pkg:deb/debian/{package.name}@{quote(package.version)}?arch={package.arch}&distro={package.suite}",
        "digest": {"sha256": package.sha256},
        "annotations": {
            "kind": "package",
            "file": package.pool,
            # A bundle may bring the whole image, and none of its packages.
            **({"obtainedFrom": came_from(place)} if place else {}),
        },
    }


def _file(kind: str, file: File, tree: str = "") -> Dependency:
    annotations: Mapping[str, str] = {"kind": kind, **({"tree": tree} if tree else {})}
    return {"name": file.path, "digest": {"sha256": file.sha256}, "annotations": annotations}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
