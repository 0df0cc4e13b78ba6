"""What may differ between two machines that build one plan: what `./inv verify` changes, by name."""

from __future__ import annotations

from kiln.core import UsageError

# Each with what it changes, for the help and the output.
VARIATIONS = {
    "paths": "other folders: home, checkout, TMPDIR",
    "umask": "0002 for Kiln and, with paths, the files of the checkout",
    "locale": "Kiln runs in Turkish",
    "timezone": "Kiln runs 14 hours ahead of UTC",
    "environment": "variables that compilers read, around Kiln, and one more in each container",
    "hostname": "another host name of the containers",
    "user": "another user id in the containers",
    "clock": "two years on in the containers, by libfaketime",
    "jobs": "one compiler more at once",
    "processors": "one processor fewer",
    "order": "files in folders in reverse order, by disorderfs",
    "kernel": "the containers see Linux 2.6",
    "engine": "Podman where builds use Docker, or Docker where they use Podman",
}


def choose(vary: str, no_vary: str) -> tuple[str, ...]:
    """The variations in `vary`, or all for an empty text, without those in `no_vary`: names with commas between.

    Raises UsageError for a name that is not one.
    """
    wanted, unwanted = _names(vary, "--vary"), _names(no_vary, "--no-vary")
    return tuple(name for name in VARIATIONS if name in (wanted or VARIATIONS) and name not in unwanted)


def _names(text: str, option: str) -> set[str]:
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(VARIATIONS))
    if unknown:
        raise UsageError(
            f"{option} {', '.join(unknown)} is not a variation", f"choose from {', '.join(VARIATIONS)}"
        )
    return names
