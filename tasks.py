"""Kiln's tasks for Invoke; `./inv` runs this file. What each task does is in kiln/cli and kiln/commands."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

try:
    from kiln import cli
except KeyboardInterrupt:  # the imports take a part of a second
    sys.exit(130)

if __name__ == "__main__":
    cli.main(ROOT)
else:
    namespace = cli.collection(ROOT)
