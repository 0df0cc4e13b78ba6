"""A provenance as a stranger reads it: what has to be checked out and asked for to build the same wheel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kiln.attest.provenance import BUILD_TYPE, PREDICATE
from kiln.core import UsageError, Value, parse_json
from kiln.plan import option_word, variant_words

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class Recorded:
    """`name` and `sha256` are the wheel's; `repository` is empty where none was recorded."""

    name: str
    sha256: str
    key: str
    commit: str
    repository: str
    clean: bool
    recipe: str
    release: str
    variant: Mapping[str, str]
    options: Mapping[str, Value]
    python_prefix: str
    accept_tree_hash: bool
    substituted: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """What a person types after `build` or `plan`, but for the recipe's own options."""
        words = [f"{self.recipe}/{self.release}"]
        words += variant_words(self.variant)
        words += [f"--python-prefix={self.python_prefix}"] if self.python_prefix else []
        return [*words, *(["--accept-tree-hash"] if self.accept_tree_hash else [])]

    def choices(self, defaults: Mapping[str, object]) -> Iterator[str]:
        """The options that are not the recipe's own choice, as a person types them."""
        for name, value in self.options.items():
            if value != defaults.get(name):
                yield option_word(name, value)


def parse(text: str, where: str) -> Recorded:
    """A provenance from its file; UsageError for what is not one of Kiln's, or does not say enough."""
    try:
        value = parse_json(text)
        predicate = value["predicate"]
        definition = predicate["buildDefinition"]
        if (value["predicateType"], definition["buildType"]) != (PREDICATE, BUILD_TYPE):
            raise ValueError(f"it is {value['predicateType']} of {definition['buildType']}")
        return _recorded(value["subject"][0], definition)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UsageError(
            f"this is not a provenance that Kiln wrote ({type(error).__name__}: {error})",
            "name the file provenance.intoto.jsonl of a record, or its URL",
            where=where,
        ) from error


def _recorded(subject: Any, definition: Any) -> Recorded:
    asked = definition["externalParameters"]
    checkout: dict[str, Any] = next(
        (each for each in definition["resolvedDependencies"] if each["annotations"]["kind"] == "checkout"), {}
    )
    commit = str(checkout.get("digest", {}).get("gitCommit", ""))
    repository = re.sub(r"^git\+|@[0-9a-f]{40}$", "", str(checkout.get("uri", "")))
    # Nothing of it may become an option of a program.
    for word in (
        str(asked["recipe"]),
        str(asked["release"]),
        *asked["options"],
        *asked["variant"],
        *map(str, asked["variant"].values()),
    ):
        if not all(_WORD.fullmatch(part) for part in word.split(",")):
            raise ValueError(f"{word!r} is not a name")
    if commit and not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise ValueError("the commit is not one")
    key, sha256 = definition["internalParameters"]["buildKey"], subject["digest"]["sha256"]
    if not all(re.fullmatch(r"[0-9a-f]{64}", each) for each in (key, sha256)):
        raise ValueError("a hash is not one")
    if repository and not re.match(r"(https?|ssh|git)://[^-\s][^\s]*$", repository):
        raise ValueError("the repository is not a URL")
    return Recorded(
        name=str(subject["name"]),
        sha256=sha256,
        key=key,
        commit=commit,
        repository=repository,
        clean=bool(checkout.get("annotations", {}).get("clean")),
        recipe=str(asked["recipe"]),
        release=str(asked["release"]),
        variant={str(axis): str(value) for axis, value in asked["variant"].items()},
        options=dict(asked["options"]),
        python_prefix=str(asked.get("pythonPrefix", "")),
        accept_tree_hash=bool(asked["acceptTreeHash"]),
        substituted=tuple(map(str, asked["substituted"])),
    )
