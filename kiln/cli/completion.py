"""What a shell offers for a command line of `./inv` that is being typed, and the script that makes it ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from invoke.collection import Collection
from invoke.parser.argument import Argument

from kiln.cli.arguments import ARGUMENTS
from kiln.core import UsageError
from kiln.recipe import Catalogue

# Each script asks the very program that is typed, so that one works for all checkouts.
SCRIPTS = {
    "bash": """\
_kiln() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" --complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$2"))
}
complete -o default -F _kiln inv
""",
    "zsh": """\
_kiln() {
    local -a found
    found=(${(f)"$(${(Q)words[1]} --complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _kiln inv
""",
    "fish": """\
function __kiln
    set -l words (commandline --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor)
    set -l found ($words[1] --complete -- $words[2..-1] 2>/dev/null)
    if count $found >/dev/null
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline --current-token)
    end
end
complete --command inv --no-files --arguments '(__kiln)'
""",
}
AXES = ("device", "base", "python")


def script(shell: str) -> str:
    """The lines that a shell reads at its start; UsageError for a shell that is not known."""
    if shell not in SCRIPTS:
        raise UsageError(f"there is no completion for {shell!r}", f"choose one of {', '.join(SCRIPTS)}")
    return SCRIPTS[shell]


def candidates(words: Sequence[str], tasks: Collection, catalogue: Catalogue) -> list[str]:
    """What may stand in place of the last word, the others being typed; nothing where any file may."""
    *before, current = words or [""]
    task = next((word for word in before if word in tasks.task_names), "")
    if not task:
        return ["--help", "--list"] if current.startswith("-") else sorted(tasks.task_names)
    arguments = {name: each for each in tasks[task].get_arguments() for name in _flags(each)}
    option = arguments.get(before[-1])
    if option is not None and option.takes_value and not option.optional:
        return _values(option.name, _recipe(before, tasks, catalogue), catalogue)
    if current.startswith("-"):
        negated = (f"--no-{name[2:]}" for name, each in arguments.items() if each.default is True)
        return sorted({"--help", *arguments, *negated})
    if task == "completion":
        return list(SCRIPTS)
    first = "--recipe" in arguments and ARGUMENTS.get(task, "recipe") == "recipe" and before[-1] == task
    return _recipes(catalogue) if first else []


def _flags(argument: Argument) -> Iterable[str]:
    return (f"--{name.replace('_', '-')}" for name in argument.names)


def _values(option: str, recipe: str, catalogue: Catalogue) -> list[str]:
    """The values that an option of a task can have, of one recipe or of all."""
    names = [recipe] if recipe else catalogue.names()
    if option == "recipe":
        return _recipes(catalogue)
    try:
        if option == "release":
            return [release for name in names for release in catalogue.releases(name)]
        if option in AXES:
            lines = (each.variants for name in names for each in catalogue.line(name))
            return list(dict.fromkeys(value for each in lines for value in getattr(each, option)))
    except UsageError:
        # A recipe that cannot be read says so when it is used, not while a person types.
        return []
    return []


def _recipes(catalogue: Catalogue) -> list[str]:
    found = catalogue.names()
    for name in catalogue.names():
        try:
            found += [f"{name}/{release}" for release in catalogue.releases(name)]
        except UsageError:
            continue
    return found


def _recipe(before: Sequence[str], tasks: Collection, catalogue: Catalogue) -> str:
    """The recipe that a command line is about, if it names one."""
    known = {each.command: each.name for each in catalogue.outlines()} | {
        name: name for name in catalogue.names()
    }
    return next((known[word.partition("/")[0]] for word in before if word.partition("/")[0] in known), "")
