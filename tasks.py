"""Kiln's tasks for Invoke; `./inv` runs this file. What each task does is in kiln/cli and kiln/commands."""

from pathlib import Path

from kiln import cli

ROOT = Path(__file__).resolve().parent

if __name__ == "__main__":
    cli.main(ROOT)
else:
    namespace = cli.collection(ROOT)
