"""What a plan promises to people: how far its variant was seen to work, and who can install its wheel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from kiln.core import Value
from kiln.plan.model import Plan
from kiln.recipe import Catalogue, Needs, Run, cpu, platforms

# The glibc of manylinux2014 is 2.17; auditwheel gives a wheel that name, too.
MANYLINUX2014 = 17


@dataclass(frozen=True)
class Advice:
    """What is known of a plan before it is built; nothing of it is in the key.

    `tag` is the platform tag that its wheel is expected to have: that of a recorded build, or where there is none
    (`measured` is false) the newest that the glibc it is linked for allows. `ceiling` is that newest. `works` are the
    distributions whose pip takes it, each with its oldest such version; `too_old` those that have no such version yet.
    `seen` is the recorded build of this very variant, `needs` what such a build used of a machine; None where nothing is
    recorded.
    """

    tag: str
    measured: bool
    ceiling: str
    works: tuple[tuple[str, str], ...]
    too_old: tuple[str, ...]
    seen: Run | None
    needs: Needs | None

    @property
    def glibc(self) -> str:
        return platforms.glibc_of(self.tag)

    @property
    def brings_newer(self) -> bool:
        """Whether the wheel has libraries of the base in it that need a newer glibc than it is linked for."""
        return platforms.minor(self.glibc) > platforms.minor(platforms.glibc_of(self.ceiling))

    @property
    def pip(self) -> str:
        """The oldest pip that knows the tag: before PEP 600's `manylinux_2_N` each tag had a name of its own."""
        return "19.3" if platforms.minor(self.glibc) <= MANYLINUX2014 else "20.3"

    def value(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "tag": self.tag,
            "measured": self.measured,
            "ceiling": self.ceiling,
            "glibc": self.glibc,
            "pip": self.pip,
            "distributions": dict(self.works),
            "too_old": list(self.too_old),
            "seen": asdict(self.seen) if self.seen else None,
            "needs": asdict(self.needs) if self.needs else None,
        }


def advice(catalogue: Catalogue, plan: Plan) -> Advice:
    """What is known of a plan; UsageError where a file that says it has a mistake."""
    known = catalogue.verified(plan.recipe.name, plan.recipe.version)
    ceiling = platforms.tag_of(plan.linked_glibc)
    tag = _tag(plan, known.runs)
    works, too_old = platforms.installs_on(
        platforms.distributions(catalogue.root), platforms.glibc_of(tag or ceiling)
    )
    facts: dict[str, Value] = {**asdict(plan.variant), **plan.options}
    return Advice(
        tag or ceiling,
        bool(tag),
        ceiling,
        tuple(works),
        tuple(too_old),
        next((each for each in known.runs if _same(plan, each)), None),
        known.needed(facts),
    )


def _tag(plan: Plan, runs: Iterable[Run]) -> str:
    """The tag that builds for the same glibc had: of those of the same device and release the one most like it."""
    variant = plan.variant
    fitting = [each for each in runs if each.tag and (each.base, each.glibc) == (variant.base, variant.glibc)]
    fitting.sort(
        key=lambda each: (
            each.device != variant.device,
            each.release != plan.recipe.version,
            sum(_options(plan, each)[name] != value for name, value in plan.options.items()),
        )
    )
    return next((each.tag for each in fitting if each.tag), "")


def _same(plan: Plan, run: Run) -> bool:
    """Whether a recorded build is of this variant, with these options and nothing else changed."""
    variant, recipe = plan.variant, plan.recipe
    features = cpu.canonical(run.cpu_features or recipe.variants.defaults.cpu_features)
    return (
        not run.note
        and (run.release, run.device, run.base, run.glibc)
        == (recipe.version, variant.device, variant.base, variant.glibc)
        and variant.python in run.python
        and variant.cpu_features == features
        and dict(plan.options) == _options(plan, run)
    )


def _options(plan: Plan, run: Run) -> dict[str, Value]:
    """The value of every option in a recorded build."""
    return {option.name: option.default for option in plan.recipe.options} | dict(run.options)
