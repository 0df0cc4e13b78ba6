"""CPU features: the names that `--cpu-features` takes."""

from __future__ import annotations

from pathlib import Path

from kiln.core import UsageError

# In the order in which processors gained them; the value is the flag in /proc/cpuinfo.
FEATURES = {
    "sse3": "pni",
    "ssse3": "ssse3",
    "sse4.1": "sse4_1",
    "popcnt": "popcnt",
    "sse4.2": "sse4_2",
    "avx": "avx",
    "f16c": "f16c",
    "avx2": "avx2",
    "fma": "fma",
    "avx512f": "avx512f",
}


def canonical(text: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """A feature list in one form: known names, each once, in order.

    `baseline` is plain x86-64. `native` becomes the explicit list of what this machine has, so that
    the plan says what is built; UsageError for anything else that is not a known feature.
    """
    wanted = {part.strip().lower() for part in text.split(",") if part.strip()}
    if wanted == {"baseline"}:
        return "baseline"
    if wanted == {"native"}:
        return ",".join(name for name, flag in FEATURES.items() if flag in _flags(cpuinfo))
    unknown = sorted(wanted - set(FEATURES))
    if unknown or not wanted:
        raise UsageError(
            f"--cpu-features {text!r} is not understood ({', '.join(unknown) or 'empty'})",
            f"give 'baseline', 'native', or a comma-separated list of {', '.join(FEATURES)}",
        )
    return ",".join(name for name in FEATURES if name in wanted)


def _flags(cpuinfo: Path) -> set[str]:
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()
