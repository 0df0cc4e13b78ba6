#!/usr/bin/env python3
"""Builds one row of the matrix, or goes on with it: `ci/build.py ROW --part 2 --time-budget 5h`.

Ends with 0 where the wheel is finished, and where its time budget stopped it but another part follows; with 75 where
the budget stopped the last part; else with the build's own exit code. What caches keep is made small before the end.
For GitHub it tells `finished` and `folder` as outputs, and adds a line to the job's summary.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

INV = str(Path(__file__).resolve().parent.parent / "inv")
STOPPED = 75


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("row", help="a name that `./inv ci-matrix` shows")
    parser.add_argument("--part", type=int, default=1, help="which of the row's jobs this is, from 1")
    parser.add_argument(
        "--time-budget", default="", help="when to stop compiling, such as 5h (default: never)"
    )
    asked = parser.parse_args()

    listed = subprocess.run([INV, "ci-matrix", "--json", "--name", asked.row], stdout=subprocess.PIPE)
    if listed.returncode:
        return listed.returncode
    (row,) = json.loads(listed.stdout)["include"]
    budget = ["--time-budget", asked.time_budget] if asked.time_budget else []
    print(f"part {asked.part} of {row['parts']}: {row['command']} {' '.join(budget)}", flush=True)
    status = subprocess.run([INV, *row["arguments"], "--setup", *budget]).returncode
    if status not in (0, STOPPED):
        return status

    # What was stopped, older results and sources that no recipe needs would only make the caches large. Images are out
    # of reach: the engine's, they may serve other checkouts, too.
    subprocess.run(
        [INV, "gc", "--no-dry-run", "--results", "1"], env={**os.environ, "DOCKER_HOST": "unix:///dev/null"}
    )
    tell("GITHUB_OUTPUT", f"finished={'false' if status else 'true'}", f"folder={row['folder']}")
    if not status:
        said = f"finished in part {asked.part} of {row['parts']}"
    elif asked.part < row["parts"]:
        said = f"part {asked.part} of {row['parts']} was stopped by its budget of {asked.time_budget}; the next goes on"
        status = 0
    else:
        said = (
            f"not finished in {row['parts']} parts of {asked.time_budget}: run the same again, which goes on from the "
            "caches, or give the row more `parts` in ci/matrix.yaml"
        )
    tell("GITHUB_STEP_SUMMARY", f"- `{row['name']}`: {said}")
    print(f"{row['name']}: {said}", flush=True)
    return status


def tell(variable: str, *lines: str) -> None:
    """Add lines to the file that a provider names in a variable, where it does."""
    if os.environ.get(variable):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
