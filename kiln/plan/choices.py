"""The values of a recipe's options for one build, and why some are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiln import recipe
from kiln.core import UsageError, Value
from kiln.recipe import Option, Parts, Recipe


def chosen(whole: Recipe, given: Mapping[str, Value], axes: Mapping[str, Value]) -> dict[str, Value]:
    """The value of every option that a build on these axes has: the one that was given, else its default.

    Raises UsageError for an option that it does not have, and for a value that it cannot have.
    """
    known = {option.name: option for option in recipe.options(whole, axes)}
    elsewhere = {option.name for option in whole.options} - set(known)
    for name in given:
        if name not in known:
            where = f" for the device {axes['device']}" if name in elsewhere else ""
            raise UsageError(
                f"recipe {whole.name} {whole.version} has no option {name!r}{where}: "
                f"it has {', '.join(sorted(known)) or 'none'}"
            )
    values = {name: given.get(name, option.default) for name, option in known.items()}
    facts = {**axes, **values}
    for name in given:
        _check(whole, known[name], facts)
    for refusal in whole.refusals:
        if refusal.holds(facts):
            raise UsageError(f"{whole.name} {whole.version}: {refusal.why}", refusal.cure)
    return values


def parts(whole: Recipe, facts: Mapping[str, Value]) -> dict[str, tuple[str, ...]]:
    """By option, the parts that it can list in a build with these facts, sorted."""
    return {
        name: tuple(sorted(_allowed(_of(whole, name), facts)))
        for name in sorted({each.option for each in whole.parts})
    }


def _check(whole: Recipe, option: Option, facts: Mapping[str, Value]) -> None:
    value = facts[option.name]
    listed = _of(whole, option.name)
    if option.type == "bool" or value in option.choices or not (option.choices or listed):
        return
    where = f"--{option.name.replace('_', '-')} of {whole.name} {whole.version}"
    if not listed:
        raise UsageError(f"{where} cannot be {value!r}", f"choose {' or '.join(option.choices)}")
    allowed = set(_allowed(listed, facts))
    wrong = next((each for each in str(value).split(",") if each not in allowed), None)
    if wrong is not None:
        raise UsageError(
            f"{where} cannot have {wrong!r}{_why(listed, wrong)}",
            f"choose {', '.join((*option.choices, ''))}or a comma-separated list of {', '.join(sorted(allowed))}",
        )


def _of(whole: Recipe, option: str) -> list[Parts]:
    return [each for each in whole.parts if each.option == option]


def _allowed(listed: list[Parts], facts: Mapping[str, Value]) -> Iterator[str]:
    return (
        name for each in listed if each.why is None and recipe.holds(each.when, facts) for name in each.names
    )


def _why(listed: list[Parts], name: str) -> str:
    """Why a part cannot be listed; nothing where there is no such part."""
    for each in listed:
        if name in each.names:
            return f" ({each.why or f'it needs {_conditions(each.when)}'})"
    return ""


def _conditions(when: Mapping[str, tuple[Value, ...]]) -> str:
    """Conditions as a person would choose them: a switch, or an option or axis with its values."""
    words = []
    for name, values in when.items():
        option = f"--{name.replace('_', '-')}"
        if values in ((True,), (False,)):
            words.append(option if values == (True,) else f"--no-{option[2:]}")
        else:
            words.append(f"{option} {' or '.join(map(str, values))}")
    return " and ".join(words)
